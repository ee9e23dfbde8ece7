import { basename } from 'node:path'
import { importRoots } from '../bundle/import/import.ts'
import { openBundle } from '../bundle/format/open.ts'
import { openBundleFile } from '../cli/media/open-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { finishImport, valuesArgs } from '../cli/output/import-result.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { importFromPipe } from '../cli/media/pipe-input.ts'
import { PIPE } from '../cli/media/pipe.ts'
import { ecrArgs, layoutArgs, layoutOf, openTarget } from '../cli/flags/registry.ts'
import { repositoryArgs } from '../cli/flags/repository.ts'
import { checkSignature, signatureArgs } from '../cli/flags/signing.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

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
  args: {
    bundle: { type: 'positional', description: 'Bundle to import, or - for standard input' },
    ...layoutArgs,
    ...valuesArgs,
    ...volumesArgs,
    ...signatureArgs,
    ...ecrArgs,
    ...repositoryArgs,
    ...networkArgs,
  },
  async run(args, session) {
    const layout = layoutOf(args)
    if (args.bundle === PIPE) {
      await importFromPipe(args, layout, session)
      return
    }
    const file = await openBundleFile(args.bundle, { ...session, volumes: args.volumes })
    try {
      const bundle = await openBundle(file)
      await checkSignature(bundle, args, session)
      const opened = await openTarget(args, session)
      const { target, network } = opened
      const started = performance.now()
      try {
        const imported = await importRoots(bundle, target, { ...network, layout })
        await finishImport({ imported, bundle, layout, started, name: basename(args.bundle) }, args, session)
      } finally {
        opened.close()
      }
    } finally {
      await file.close()
    }
  },
})
