import { basename } from 'node:path'
import { chartRepository, destinationOf, imageRepository, type Layout } from '../bundle/format/destination.ts'
import { encodeInventory, takeInventory } from '../bundle/export/inventory.ts'
import { imagesOf, nameOf } from '../bundle/spec/spec.ts'
import { usageError } from '../lib/errors.ts'
import { plural } from '../lib/format.ts'
import type { SignatureOptions } from '../bundle/media/trust.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { eachSignatureArgs } from '../cli/flags/signing.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { ecrArgs, layoutArgs, layoutOf, openTarget } from '../cli/flags/registry.ts'
import { noSettings } from '../cli/flags/repository.ts'
import { listArgs, listSettings } from '../cli/flags/source.ts'
import { loadSpecs, saysWhat } from '../setup/lists.ts'
import type { Args } from '../cli/args/flags.ts'
import type { CommandSession } from '../cli/session.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import { writeWhole } from '../lib/bytes/write-whole.ts'

export default defineBundleCommand({
  name: 'inventory',
  description:
    'Writes down, on the isolated side, which blobs the registry has: a small text to carry back, or to type. ' +
    'With it, export --since ships only what is missing. It looks at the repositories of a spec or of a bundle.',
  examples: [
    {
      command: 'ma-bundle inventory --registry <host> --output there.txt',
      description: 'what is there of the newest Migration Assistant',
    },
    { command: 'ma-bundle export new.tar --since there.txt', description: 'on the connected side' },
    {
      command: 'ma-bundle inventory --registry <host> --bundle old.tar --short',
      description: 'few digits, to read out or to type',
    },
  ],
  args: {
    ...layoutArgs,
    bundle: { type: 'string', hint: 'file', description: 'Look at the repositories of this bundle' },
    ...listArgs,
    spec: { ...listArgs.spec, description: 'Look at the repositories of this spec, list or bundled name' },
    ...volumesArgs,
    ...eachSignatureArgs,
    output: { type: 'string', hint: 'file', description: 'Write it here instead of to standard output' },
    short: { type: 'boolean', description: 'Twelve digits of each digest, which distinguish blobs as well' },
    ...ecrArgs,
    ...networkArgs,
  },
  async run(args, session) {
    if (args.bundle !== undefined && saysWhat(listSettings(args)))
      throw usageError('--bundle and --spec are given', { next: 'give the one whose repositories are meant' })
    const layout = layoutOf(args)
    const repositories = await repositoriesOf(args, layout, session)
    const opened = await openTarget({ ...args, ...noSettings }, session)
    try {
      const digests = await takeInventory(repositories, opened.target, opened.network)
      const text = encodeInventory(digests, args.short)
      if (args.output !== undefined) await writeWhole(args.output, text, 'inventory')
      const data = { registry: layout.registry, repositories: repositories.length, digests }
      session.result(data, () =>
        args.output === undefined
          ? text
          : `Wrote ${basename(args.output)}: ${plural(digests.length, 'blob')} in ${layout.registry}.\n`,
      )
    } finally {
      opened.close()
    }
  },
})

// --- internal ---

async function repositoriesOf(
  args: Args<typeof listArgs> &
    SignatureOptions & { readonly bundle: string | undefined; readonly volumes: readonly string[] },
  layout: Layout,
  session: CommandSession,
): Promise<readonly string[]> {
  const { bundle } = args
  if (bundle === undefined) {
    const { groups } = (await loadSpecs(listSettings(args), session)).spec
    return sorted([
      ...imagesOf(groups).map((image) => imageRepository(layout, nameOf(image))),
      ...groups.flatMap(({ charts }) => charts.map(({ name }) => chartRepository(layout, name))),
    ])
  }
  return withBundle(bundle, { ...session, ...args }, ({ bundle: { roots } }) =>
    Promise.resolve(
      sorted(roots.flatMap((root) => (root.kind === 'file' ? [] : [destinationOf(root, layout).repository]))),
    ),
  )
}

const sorted = (names: readonly string[]): readonly string[] => [...new Set(names)].toSorted()
