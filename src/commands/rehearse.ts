import { parseObjects } from '../bundle/site/check/objects.ts'
import { podImages } from '../bundle/site/check/pods.ts'
import type { Layout } from '../bundle/format/destination.ts'
import { bundleReferences } from '../bundle/site/rehearse/references.ts'
import { rehearse } from '../bundle/site/rehearse/rehearse.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { exitCodes, type ExitCode } from '../bundle/run/exit.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { ecrArgs, layoutArgs, layoutOf, openTarget } from '../cli/flags/registry.ts'
import { noSettings } from '../cli/flags/repository.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import { readObjects } from '../cli/output/read-objects.ts'
import { rehearsalText } from '../cli/output/rehearsal-text.ts'
import type { Session } from '../cli/session.ts'
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
      hint: 'file',
      description: 'Pull what these rendered objects name instead: a file, or - for standard input',
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
    ...volumesArgs,
    ...ecrArgs,
    ...networkArgs,
  },
  async run(args, session): Promise<ExitCode> {
    const layout = layoutOf(args)
    const platforms = args.platform.map(parsePlatform)
    const references = await referencesOf(args, session, layout)
    const opened = await openTarget({ ...args, ...noSettings }, session)
    try {
      const { client, concurrency, signal } = opened.network
      session.emit({ type: 'phase', phase: 'resolve', items: references.length, bytes: 0 })
      const rehearsal = await rehearse(references, {
        client,
        registry: layout.registry,
        reachable: args.allowRegistry,
        concurrency,
        signal,
        ...(opened.ecr === undefined ? {} : { ecr: opened.ecr }),
        ...(platforms.length === 0 ? {} : { platforms }),
      })
      session.result({ registry: layout.registry, ...rehearsal }, () => rehearsalText(rehearsal))
      const kinds = new Set(rehearsal.pulls.flatMap(({ cause }) => cause?.kind ?? []))
      const [only = 'ok' as const] = kinds
      return exitCodes[kinds.size > 1 ? 'failed' : only]
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
  },
  session: Session,
  layout: Layout,
): Promise<readonly Reference[]> {
  if (args.objects.length === 0) {
    if (args.bundle === undefined)
      throw usageError('rehearse needs to know what is pulled', {
        next: 'give the bundle that was imported, or the rendered objects: --objects <file>',
      })
    return withBundle(args.bundle, { ...session, volumes: args.volumes }, ({ bundle }) =>
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
