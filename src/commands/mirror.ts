import { finishImport, landedIn } from '../api/import-from.ts'
import { importRoots } from '../bundle/import/import.ts'
import { bundleOfPlan } from '../bundle/export/without-a-file.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { forecast, rateArgs } from '../cli/output/forecast.ts'
import { helmArgs } from '../cli/flags/helm.ts'
import { showImport, valuesArgs } from '../cli/output/import-result.ts'
import { networkArgs, openNetwork } from '../cli/flags/network.ts'
import { eachSignatureArgs } from '../cli/flags/signing.ts'
import { imagesArg } from '../cli/flags/source.ts'
import { olderArgs } from '../cli/flags/since-reuse.ts'
import { openOlder } from '../setup/older.ts'
import { prepare, prepareArgs } from '../cli/flags/prepare.ts'
import { ecrArgs, layoutArgs, layoutOf, openTarget } from '../cli/flags/registry.ts'
import { repairArgs, repairOf } from '../cli/flags/repair.ts'
import { repositoryArgs } from '../cli/flags/repository.ts'
import { splitLogin } from '../cli/flags/network.ts'

const { values: chartValues, ...proveArgs } = helmArgs

export default defineBundleCommand({
  name: 'mirror',
  description:
    'Export and import in one, without a file between them, for a machine that sees both sides: every image and chart ' +
    'goes straight from its source into the registry, verified on the way, and the Helm values override is written. ' +
    'What is there already costs one request each at the registry.',
  examples: [
    {
      command: 'ma-bundle mirror --registry 123456789012.dkr.ecr.eu-central-1.amazonaws.com',
      description: 'the newest Migration Assistant into ECR',
    },
    {
      command: 'ma-bundle mirror --registry registry.example:5000/team --spec my-spec.yaml',
      description: 'your own list, into any registry',
    },
  ],
  args: {
    images: imagesArg,
    ...layoutArgs,
    ...repairArgs,
    ...valuesArgs,
    ...prepareArgs,
    ...proveArgs,
    chartValues,
    dryRun: {
      type: 'boolean',
      description: 'Resolve everything and tell how much there is; ask and change nothing at the registry',
    },
    reuse: olderArgs.reuse,
    volumes: olderArgs.volumes,
    ...eachSignatureArgs,
    ...rateArgs,
    ...ecrArgs,
    ...repositoryArgs,
    ...networkArgs,
  },
  async run(args, session) {
    const layout = layoutOf(args)
    const repair = repairOf(args)
    const { source, target } = splitLogin(args, layout.registry)
    // Before anything is resolved: a login that fails there is known at once.
    const opened = await openTarget({ ...args, ...target }, session)
    const older = await openOlder({ ...args, since: undefined }, { ...session, volumes: args.volumes })
    try {
      const network = await openNetwork({ ...args, ...source }, session)
      const resolved = await prepare({ ...args, values: args.chartValues }, session, network, older)
      const { prepared } = older.reuse(resolved)
      if (args.dryRun) {
        session.result(...forecast(prepared, { rate: args.rate, network }, session))
        return
      }
      const started = performance.now()
      const bundle = bundleOfPlan(prepared.plan)
      const imported = await importRoots(bundle, opened.target, { ...opened.network, layout, repair })
      const done = await finishImport(bundle, imported, started, { ...args, layout })
      showImport(done, { proof: bundle.contents?.proof, ...landedIn(done) }, session)
    } finally {
      await older.close()
      opened.close()
    }
  },
})
