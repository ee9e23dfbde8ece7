import { importFrom, importResult } from '../api/import-from.ts'
import type { Repair } from '../bundle/import/compare.ts'
import { mediumAt } from '../bundle/media/at.ts'
import type { Args, ArgsDef } from '../cli/args/flags.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { ecrArgs, layoutArgs, layoutOf, targetSettings } from '../cli/flags/registry.ts'
import { pickArgs } from '../cli/flags/pick.ts'
import { repositoryArgs } from '../cli/flags/repository.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import { showImport, valuesArgs } from '../cli/output/import-result.ts'
import { usageError } from '../lib/errors.ts'

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
    const target = await targetSettings(given, session)
    const { values, pinDigests } = given
    const done = await importFrom(
      medium,
      { layout, target, trust: given, pick: given, repair, values, pinDigests },
      session,
    )
    showImport(done, importResult(done), session)
  },
})

// --- internal ---

/** Healthy registries keep what they have, so each root costs one request unless somebody wants to look below it. */
function repairOf({ repair, deep }: Args<typeof args>): Repair {
  if (deep && !repair) throw usageError('--deep goes with --repair', { next: 'add --repair' })
  if (!repair) return 'none'
  return deep ? 'wrong' : 'missing'
}
