import { yamlText } from '../../../lib/text/yaml.ts'
import { aliasesOf } from '../../../oci/alias.ts'
import { parseReference, type Reference } from '../../../oci/reference.ts'
import type { NodeFile, NodeInput } from './input.ts'
import { createPrivateImages } from '../private-images.ts'

/**
 * A Kyverno policy that rewrites the images of pods as they are created, from a table of exactly these images:
 * https://kyverno.io/docs/policy-types/cluster-policy/mutate/#foreach. A pinned digest is looked up by the digest, so
 * that one of a list of platforms becomes that of the smaller list in the bundle.
 */
export const kyverno = (input: NodeInput): readonly NodeFile[] => [
  {
    path: 'ma-bundle-private-registry.yaml',
    text: `${NOTES}${yamlText(
      {
        apiVersion: 'kyverno.io/v1',
        kind: 'ClusterPolicy',
        metadata: {
          name: 'ma-bundle-private-registry',
          annotations: { 'pod-policies.kyverno.io/autogen-controllers': 'none' },
        },
        spec: { background: false, rules: LISTS.map((list) => ruleFor(list, tableOf(input))) },
      },
      { lineWidth: 0, aliasDuplicateObjects: false },
    )}`,
  },
]

// --- internal ---

const NOTES = `# A policy for Kyverno (tried with 1.13), written by ma-bundle. It covers pods that are created after it, except those that
# Kyverno does not see: its own, and what the resourceFilters of its config map leave out (kube-system by default).
`

const LISTS = ['initContainers', 'containers', 'ephemeralContainers'] as const

/** Running pods keep their images, because a change restarts containers; ephemeral ones only ever come by an update. */
const operations = (list: string): readonly string[] =>
  list === 'ephemeralContainers' ? ['CREATE', 'UPDATE'] : ['CREATE']

function ruleFor(list: string, table: Readonly<Record<string, string>>) {
  // Kyverno adds docker.io and latest to a name before, and no library/.
  const image = `images.${list}."{{ element.name }}"`
  const version = `(digest && join('', ['@', digest])) || join('', [':', tag])`
  const found = `lookup(table, ${image} | join('', [registry, '/', path, ${version}]))`
  return {
    name: `private-${list.toLowerCase()}`,
    match: { any: [{ resources: { kinds: ['Pod'], operations: operations(list) } }] },
    context: [{ name: 'table', variable: { value: table } }],
    mutate: {
      foreach: [
        {
          list: `request.object.spec.${list} || \`[]\``,
          context: [{ name: 'target', variable: { jmesPath: found, default: '' } }],
          preconditions: { all: [{ key: '{{ target }}', operator: 'NotEquals', value: '' }] },
          // A strategic merge would put the changed containers first.
          patchesJson6902: yamlText([
            { op: 'replace', path: `/spec/${list}/{{ elementIndex }}/image`, value: '{{ target }}' },
          ]),
        },
      ],
    },
  }
}

/** What stands in pods, by every name of the registry, to what is pulled instead. */
function tableOf({ images, layout }: NodeInput): Readonly<Record<string, string>> {
  const known = createPrivateImages(images, layout)
  const table: Record<string, string> = {}
  for (const { name, digest, original } of images) {
    const reference = parseReference(name)
    const digests = [digest, original, reference.digest].filter((one) => one !== undefined)
    const versions = [
      ...(reference.tag === undefined ? [] : [`:${reference.tag}`]),
      ...digests.map((one) => `@${one}`),
    ]
    for (const repository of namesOf(reference)) {
      for (const version of versions) {
        const target = known.rewrite(`${repository}${version}`)
        if (target !== undefined) table[`${repository}${version}`] = target
      }
    }
  }
  return table
}

/** All spellings of `registry/repository` that mean the same. */
const namesOf = ({ registry, repository }: Reference): readonly string[] =>
  aliasesOf(registry).flatMap((host) => [
    `${host}/${repository}`,
    ...(host === 'docker.io' && /^library\/[^/]+$/.test(repository)
      ? [`${host}/${repository.slice('library/'.length)}`]
      : []),
  ])
