import { landedIn } from '../api/import-from.ts'
import { mirrorTo, withMirror, type MirrorRequest } from '../api/mirror-to.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { helmArgs } from '../cli/flags/helm.ts'
import { networkArgs, networkSettings, splitLogin } from '../cli/flags/network.ts'
import { prepareArgs, sourceSettings } from '../cli/flags/prepare.ts'
import { ecrArgs, layoutArgs, layoutOf, targetSettings } from '../cli/flags/registry.ts'
import { repairArgs, repairOf } from '../cli/flags/repair.ts'
import { repositoryArgs } from '../cli/flags/repository.ts'
import { eachSignatureArgs } from '../cli/flags/signing.ts'
import { olderArgs } from '../cli/flags/since-reuse.ts'
import { imagesArg } from '../cli/flags/source.ts'
import { forecast, rateArgs } from '../cli/output/forecast.ts'
import { showImport, valuesArgs } from '../cli/output/import-result.ts'
import { noticeText } from '../cli/output/notice-text.ts'
import type { OnNotice } from '../setup/source.ts'

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
      description: 'Resolve everything and show how much there is; query and change nothing at the registry',
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
    const { source, target } = splitLogin(args, layout.registry)
    const { values, pinDigests } = args
    const request: MirrorRequest = {
      layout,
      repair: repairOf(args),
      target: await targetSettings({ ...args, ...target }, session),
      network: await networkSettings({ ...args, ...source }, session),
      source: sourceSettings({ ...args, values: args.chartValues }),
      older: { ...args, since: undefined },
      values,
      pinDigests,
    }
    const around = { ...session, volumes: args.volumes }
    const onNotice: OnNotice = (notice) => session.note(noticeText(notice))
    if (args.dryRun) {
      await withMirror(request, around, onNotice, ({ prepared, network }) => {
        session.result(...forecast(prepared, { rate: args.rate, network }, session))
        return Promise.resolve()
      })
      return
    }
    const done = await mirrorTo(request, around, onNotice)
    showImport(done, { proof: done.bundle.contents?.proof, ...landedIn(done) }, session)
  },
})
