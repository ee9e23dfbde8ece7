import { importRoots } from '../bundle/import/import.ts'
import type { Repair } from '../bundle/import/compare.ts'
import { importPipe } from '../bundle/import/import-stream.ts'
import { mediumAt } from '../bundle/media/at.ts'
import type { Medium } from '../bundle/media/medium.ts'
import { openBundlePipe } from '../bundle/media/open-stream.ts'
import { checkSignature, checkTrustOptions } from '../bundle/media/trust.ts'
import { withBundleOn } from '../bundle/media/with-bundle.ts'
import type { Args, ArgsDef } from '../cli/args/flags.ts'
import { usageError } from '../lib/errors.ts'
import type { Session } from '../cli/session.ts'
import type { Layout } from '../bundle/format/destination.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { finishImport, valuesArgs } from '../cli/output/import-result.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { pickArgs, pickedFrom } from '../cli/flags/pick.ts'
import { ecrArgs, layoutArgs, layoutOf, openTarget } from '../cli/flags/registry.ts'
import { repositoryArgs } from '../cli/flags/repository.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

const args = {
  bundle: { type: 'positional', description: 'Bundle to import, or - for standard input' },
  ...layoutArgs,
  ...pickArgs,
  repair: {
    type: 'boolean',
    description:
      'Look below what is there already, and push what the registry lost: a request for each manifest and blob',
  },
  deep: {
    type: 'boolean',
    description: 'With --repair: read every blob there, and replace those with wrong bytes',
  },
  ...valuesArgs,
  ...volumesArgs,
  ...signatureArgs,
  ...ecrArgs,
  ...repositoryArgs,
  ...networkArgs,
} as const satisfies ArgsDef

export default defineBundleCommand({
  name: 'import',
  description:
    'Pushes everything in a bundle into a registry, straight out of the tar, and writes the Helm values override. ' +
    'What is there already costs one request each; run the same command again after any failure.',
  examples: [
    {
      command: 'ma-bundle import bundle.tar --registry 123456789012.dkr.ecr.eu-central-1.amazonaws.com',
      description: 'into ECR, with the credentials the AWS tools would use',
    },
    {
      command: 'ma-bundle import bundle.tar --registry registry.example:5000/team',
      description: 'into any registry',
    },
    {
      command: 'ssh outside ma-bundle export - | ma-bundle import - --registry <host>',
      description: 'from a pipe, while it comes',
    },
  ],
  args,
  async run(given, session) {
    const layout = layoutOf(given)
    const repair = repairOf(given)
    const options = { ...session, volumes: given.volumes, stdinTaken: given.passwordStdin }
    const medium = await mediumAt(given.bundle, options)
    if (!medium.can.seek) return importOnce(medium, given, layout, session)
    await withBundleOn(medium, given, async ({ bundle: whole }) => {
      const bundle = pickedFrom(whole, given, session)
      const opened = await openTarget(given, session)
      const { target, network } = opened
      const started = performance.now()
      try {
        const imported = await importRoots(bundle, target, { ...network, layout, repair })
        await finishImport({ imported, bundle, layout, started, name: medium.name }, given, session)
      } finally {
        opened.close()
      }
    })
  },
})

// --- internal ---

/** Healthy registries keep what they have, so each root costs one request unless somebody wants to look below it. */
function repairOf({ repair, deep, bundle }: Args<typeof args>): Repair {
  if (deep && !repair) throw usageError('--deep goes with --repair', { next: 'add --repair' })
  if (deep && bundle === '-')
    throw usageError('--deep needs a bundle that can be read twice, not a pipe', {
      next: 'save the bundle to a file first',
    })
  if (!repair) return 'none'
  return deep ? 'wrong' : 'missing'
}

/** Imports a bundle while it comes. */
async function importOnce(
  medium: Medium,
  given: Args<typeof args>,
  layout: Layout,
  session: Session,
): Promise<void> {
  checkTrustOptions(medium, given)
  await medium.stream(async (bytes) => {
    // Before anything is read: a login that fails is known at once.
    const opened = await openTarget(given, session)
    try {
      const started = performance.now()
      const pipe = await openBundlePipe(bytes)
      await checkSignature(pipe.bundle, medium, given)
      const bundle = pickedFrom(pipe.bundle, given, session)
      const imported = await importPipe({ ...pipe, bundle }, opened.target, {
        ...opened.network,
        layout,
        repair: repairOf(given),
      })
      await finishImport({ imported, bundle, layout, started, name: medium.name }, given, session)
    } finally {
      opened.close()
    }
  })
}
