import { bundleReferences } from '../bundle/rehearse/references.ts'
import { rehearse } from '../bundle/rehearse/rehearse.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { exitCodes, type ExitCode } from '../bundle/run/exit.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { ecrArgs, layoutArgs, layoutOf, openTarget } from '../cli/flags/registry.ts'
import { noSettings } from '../cli/flags/repository.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import { rehearsalText } from '../cli/output/rehearsal-text.ts'
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
  ],
  args: {
    bundle: { type: 'positional', description: 'Bundle that was imported' },
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
    const references = await withBundle(args.bundle, { ...session, ...args }, ({ bundle }) =>
      Promise.resolve(bundleReferences(bundle.roots, layout)),
    )
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
