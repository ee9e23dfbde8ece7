import { resolve } from 'node:path'
import { importFrom, importResult } from '../api/import-from.ts'
import { parseShard } from '../bundle/format/destinations/shards.ts'
import { exitCodes } from '../bundle/run/exit.ts'
import { mediumAt } from '../bundle/media/at.ts'
import type { Args, ArgsDef } from '../cli/args/flags.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { rehearsalKind } from '../bundle/site/rehearse/rehearse.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { ecrArgs, layoutArgs, layoutOf, targetSettings } from '../cli/flags/registry.ts'
import { pickArgs } from '../cli/flags/pick.ts'
import { repairArgs, repairOf } from '../cli/flags/repair.ts'
import { repositoryArgs } from '../cli/flags/repository.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import { showImport, showPreview, valuesArgs } from '../cli/output/import-result.ts'

const args = {
  bundle: { type: 'positional', description: 'Bundle to import, or - for standard input' },
  ...layoutArgs,
  ...pickArgs,
  ...repairArgs,
  dryRun: {
    type: 'boolean',
    description:
      'Look at what the registry has and show what would be pushed, and where to; change and write nothing',
  },
  shard: {
    type: 'string',
    hint: 'i/n|auto',
    description:
      'Import one of n parts only, beside other runs; auto takes the number of a pod of an Indexed Job. A plain import afterwards checks all and writes the values',
  },
  rehearse: {
    type: 'boolean',
    description: 'At the end, pull every image as the nodes will, and store nothing',
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
      command: 'ma-bundle import bundle.tar --registry <host> --dry-run',
      description: 'what would be pushed, and under which names',
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
    const request = {
      layout,
      target,
      trust: given,
      pick: given,
      repair,
      values,
      pinDigests,
      ...(medium.can.seek ? { readAgain: sourceOf(given) } : {}),
      rehearse: given.rehearse,
      ...(given.shard === undefined ? {} : { shard: parseShard(given.shard, session.env) }),
    }
    if (given.dryRun) {
      const { previewImport } = await import('../api/import-preview.ts')
      return showPreview(await previewImport(medium, request, session), session)
    }
    const done = await importFrom(medium, request, session)
    showImport(done, importResult(done), session)
    return done.rehearsal === undefined ? exitCodes.ok : exitCodes[rehearsalKind(done.rehearsal)]
  },
})

// --- internal ---

/** How another command reads the same bundle. */
const sourceOf = ({ bundle, volumes, verifyKey, signature, requireSignature }: Args<typeof args>) => ({
  bundle,
  flags: [
    ...volumes.map((folder) => `--volumes=${resolve(folder)}`),
    ...(verifyKey === undefined ? [] : [`--verify-key=${resolve(verifyKey)}`]),
    ...(signature === undefined ? [] : [`--signature=${resolve(signature)}`]),
    ...(requireSignature ? ['--require-signature'] : []),
  ],
})
