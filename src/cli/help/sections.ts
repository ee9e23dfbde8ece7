import { sharedArgs, type Flag } from '../args/flags.ts'

/** Titles of the help, in their order, with the flags below each, the most used first. */
export const sections = {
  'What to take': [
    'spec',
    'image',
    'chart',
    'manifests',
    'platform',
    'shard',
    'include',
    'exclude',
    'with',
    'without',
    'only',
    'lock',
    'since',
    'referrers',
    'attestations',
    'allowMissingPlatform',
    'withCli',
    'cliFrom',
    'withImage',
    'imageBase',
    'keep',
    'also',
    'inUse',
    'grace',
    'yes',
    'fill',
    'prefer',
    'for',
    'create',
    'bundleKmsKey',
    'repair',
    'deep',
    'watch',
    'watchMinutes',
  ],
  'Where from': ['mirror', 'reuse', 'volumes', 'bundle', 'repairFrom'],
  'Where to': [
    'registry',
    'prefix',
    'chartPrefix',
    'map',
    'repository',
    'split',
    'onlyVolume',
    'abort',
    'pinDigests',
    'listen',
    'tagMutability',
    'mutabilityExclusion',
    'scanOnPush',
    'kmsKey',
    'tags',
    'lifecyclePolicy',
    'repositoryPolicy',
    'applySettings',
    'resumableUploads',
    'sse',
    'sseKmsKey',
    'storageClass',
  ],
  Proof: [
    'values',
    'chartValues',
    'addMissing',
    'requireProof',
    'prove',
    'helm',
    'kubeVersion',
    'apiVersions',
    'objects',
    'consumerValues',
    'cache',
    'rehearse',
    'allowRegistry',
    'asNode',
    'withContainerd',
    'strict',
    'check',
  ],
  Trust: [
    'verifyKey',
    'requireSignature',
    'signature',
    'sign',
    'key',
    'signatureOut',
    'publicKeyOut',
    'tlsCert',
    'tlsKey',
  ],
  Network: [
    'username',
    'passwordStdin',
    'caFile',
    'clientCert',
    'insecureRegistry',
    'concurrency',
    'rate',
    'region',
    'endpointUrl',
    'profile',
    'roleArn',
    'externalId',
    'roleSessionName',
  ],
  Output: [
    'dryRun',
    'output',
    'format',
    'html',
    'compare',
    'against',
    'lockOut',
    'short',
    'onlyUnbound',
    'writeSpec',
    'writePlugin',
    ...Object.keys(sharedArgs),
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>

export type SectionTitle = keyof typeof sections

export const sectionTitles = Object.keys(sections) as readonly SectionTitle[]

/** The flags with which people begin, in the order in which they are reached for. */
const FIRST = [
  'registry',
  'spec',
  'chart',
  'keep',
  'platform',
  'with',
  'values',
  'include',
  'withCli',
  'sign',
  'split',
  'dryRun',
  'verifyKey',
  'since',
  'output',
  'chartValues',
  'prefix',
  'mirror',
  'pinDigests',
  'volumes',
  'username',
]

/** The section of a flag; a definition that differs from its namesakes names its own. */
export function sectionOf(name: string, def: Flag): SectionTitle | undefined {
  return (
    sectionTitles.find((title) => title === def.section) ??
    sectionTitles.find((title) => (sections[title] as readonly string[]).includes(name))
  )
}

/** Sorts names of flags: required ones, then those that people begin with, then as the sections have them. */
export function byUse(flags: readonly (readonly [name: string, def: Flag])[]): typeof flags {
  const order = [...FIRST, ...Object.values(sections).flat()]
  const rank = ([name, def]: readonly [string, Flag]): number => {
    if (def.type !== 'boolean' && def.required === true) return -1
    const at = order.indexOf(name)
    return at < 0 ? order.length : at
  }
  return flags.toSorted((a, b) => rank(a) - rank(b))
}
