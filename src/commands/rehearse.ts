import { parseObjects } from '../bundle/site/check/objects.ts'
import { podImages } from '../bundle/site/check/pods.ts'
import type { Layout } from '../bundle/format/destination.ts'
import { bundleReferences } from '../bundle/site/rehearse/references.ts'
import { rehearse, rehearsalKind, type Rehearsal, type Rehearsed } from '../bundle/site/rehearse/rehearse.ts'
import type { SignatureOptions } from '../bundle/media/trust.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { exitCodes, type ExitCode } from '../bundle/run/exit.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { ecrArgs, layoutArgs, layoutOf, targetSettings } from '../cli/flags/registry.ts'
import { noSettings } from '../cli/flags/repository.ts'
import { awsConfigs } from '../cli/flags/aws.ts'
import { connectTarget, type OpenedTarget } from '../setup/target.ts'
import { pullWithContainerd } from '../bundle/site/rehearse/containerd.ts'
import { readPullSecret } from '../bundle/site/rehearse/pull-secret.ts'
import { readSmall, whyUnreadable } from '../lib/bytes/small-file.ts'
import { basename, resolve } from 'node:path'
import { signatureArgs } from '../cli/flags/signing.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import { readObjects } from '../cli/output/read-objects.ts'
import { rehearsalText } from '../cli/output/rehearsal-text.ts'
import type { CommandSession } from '../cli/session.ts'
import { usageError } from '../lib/errors.ts'
import { parseReference, type Reference } from '../oci/reference.ts'
import { parsePlatform } from '../oci/platform.ts'

export default defineBundleCommand({
  name: 'rehearse',
  description:
    'Pulls every image as the nodes will, and stores nothing: manifest by tag, the child for the platform, config, first ' +
    'and last byte of every layer through the redirect. Says before helm upgrade which pods would not start, and why.',
  examples: [
    {
      command: 'ma-bundle rehearse bundle.tar --registry <host>',
      description: 'every image of the bundle, for every platform that it has',
    },
    {
      command: 'ma-bundle rehearse bundle.tar --registry <host> --platform linux/arm64',
      description: 'for nodes of this platform only',
    },
    {
      command: 'helm get manifest ma | ma-bundle rehearse --objects - --registry <host>',
      description: 'what a release really names; what is still public is named too',
    },
  ],
  args: {
    bundle: { type: 'positional', required: false, description: 'Bundle that was imported: all its images' },
    objects: {
      type: 'string',
      multiple: true,
      hint: 'path',
      description: 'Pull what these rendered objects name instead: a file, a folder, or - for standard input',
    },
    ...layoutArgs,
    platform: {
      type: 'string',
      multiple: true,
      hint: 'os/arch',
      description: 'A platform of the nodes; without it, each image is tried for all platforms that it has',
    },
    allowRegistry: {
      type: 'string',
      multiple: true,
      hint: 'host',
      description: 'Another registry that the nodes reach: references to it are pulled too',
    },
    asNode: {
      type: 'string',
      hint: 'role|file',
      description: 'Pull as the nodes do: the ARN of their role, or a file with their pull secret',
    },
    withContainerd: {
      type: 'boolean',
      description:
        'Then pull once more with the containerd of this machine, in a namespace of its own, and remove it',
    },
    ...volumesArgs,
    ...signatureArgs,
    ...ecrArgs,
    ...networkArgs,
  },
  async run(args, session): Promise<ExitCode> {
    const layout = layoutOf(args)
    const platforms = args.platform.map(parsePlatform)
    const references = await referencesOf(args, session, layout)
    const opened = await openAsNode({ ...args, ...noSettings }, session)
    try {
      const { client, concurrency, signal } = opened.network
      session.emit({ type: 'phase', phase: 'resolve', items: references.length, bytes: 0 })
      const asked = await rehearse(references, {
        client,
        registry: layout.registry,
        reachable: args.allowRegistry,
        concurrency,
        signal,
        ...(opened.ecr === undefined ? {} : { ecr: opened.ecr }),
        ...(platforms.length === 0 ? {} : { platforms }),
      })
      const rehearsal = args.withContainerd
        ? await again(asked, opened, { ...args, ...noSettings }, session)
        : asked
      session.result({ registry: layout.registry, ...rehearsal }, () => rehearsalText(rehearsal))
      return exitCodes[rehearsalKind(rehearsal)]
    } finally {
      opened.close()
    }
  },
})

// --- internal ---

/** From the bundle, or from rendered objects; the text of an object that is no reference is a pull that fails, too. */
async function referencesOf(
  args: {
    readonly bundle: string | undefined
    readonly objects: readonly string[]
    readonly volumes: readonly string[]
  } & SignatureOptions,
  session: CommandSession,
  layout: Layout,
): Promise<readonly Reference[]> {
  if (args.objects.length === 0) {
    if (args.bundle === undefined)
      throw usageError('rehearse needs to know what is pulled', {
        next: 'give the bundle that was imported, or the rendered objects: --objects <file>',
      })
    return withBundle(args.bundle, { ...session, ...args }, ({ bundle }) =>
      Promise.resolve(bundleReferences(bundle.roots, layout)),
    )
  }
  if (args.bundle !== undefined)
    throw usageError('a bundle and --objects are given', { next: 'give the one that is to be pulled' })
  const found: Reference[] = []
  for (const name of args.objects) {
    const objects = parseObjects(await readObjects(name, session), name === '-' ? 'standard input' : name)
    found.push(...objects.flatMap(podImages).map(({ image }) => parseReference(image)))
  }
  return found
}

type NodeArgs = Parameters<typeof targetSettings>[0] & { readonly asNode: string | undefined }

/** Connects with the credentials of the nodes, where they are given. */
async function openAsNode(args: NodeArgs, session: CommandSession): Promise<OpenedTarget> {
  const { asNode } = args
  const settings = await targetSettings(args, session)
  if (asNode === undefined) return connectTarget(settings, session)
  if (asNode.startsWith('arn:')) {
    const aws = awsConfigs(session.env, { ...args, roleArn: [`registry=${asNode}`] })
    return connectTarget(settings, { ...session, aws })
  }
  const raw = await readSmall(asNode, SECRET_LIMIT).catch((error: unknown) => {
    throw usageError(`cannot read the pull secret: ${whyUnreadable(error)}`, {
      where: basename(asNode),
      next: 'give --as-node the ARN of a role, or a file with a pull secret',
      cause: error,
    })
  })
  const logins = readPullSecret(raw, basename(asNode))
  return connectTarget({ ...settings, network: { ...settings.network, logins } }, session)
}

const SECRET_LIMIT = 1024 * 1024

/** Pulls for real what the first rehearsal found no fault with. */
async function again(
  asked: Rehearsal,
  { network }: OpenedTarget,
  { caFile, insecureRegistry, registry }: NodeArgs,
  { env, signal }: CommandSession,
): Promise<Rehearsal> {
  const good = asked.pulls.filter(({ cause }) => cause === undefined)
  const pulled = await pullWithContainerd(good, {
    registry: registry.split('/')[0] ?? registry,
    credentials: network.credentials ?? (() => Promise.resolve(undefined)),
    caFiles: caFile.map((file) => resolve(file)),
    insecure: insecureRegistry,
    env,
    signal,
  })
  return { ...asked, pulls: asked.pulls.map((pull) => pulled.find((one) => isSame(one, pull)) ?? pull) }
}

const isSame = (one: Rehearsed, other: Rehearsed): boolean =>
  one.reference === other.reference && one.platform === other.platform
