import { planFor, type PlanRequest } from '../api/plan-for.ts'
import { refuseMissing } from '../bundle/export/prove-charts.ts'
import { findMedium, newMediumAt } from '../bundle/media/at.ts'
import type { Medium } from '../bundle/media/medium.ts'
import type { Args, ArgsDef } from '../cli/args/flags.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { helmArgs } from '../cli/flags/helm.ts'
import { networkArgs, networkSettings, splitLogin } from '../cli/flags/network.ts'
import { splitArgs } from '../cli/flags/output.ts'
import { prepareArgs, sourceSettings } from '../cli/flags/prepare.ts'
import { ecrArgs, layoutArgs, layoutOf, targetSettings } from '../cli/flags/registry.ts'
import { noSettings } from '../cli/flags/repository.ts'
import { olderArgs } from '../cli/flags/since-reuse.ts'
import { imagesArg, isImageWord } from '../cli/flags/source.ts'
import { forecast, rateArgs, type Outlook } from '../cli/output/forecast.ts'
import { showPreview } from '../cli/output/import-result.ts'
import { noticeText } from '../cli/output/notice-text.ts'
import type { CommandSession } from '../cli/session.ts'
import { BundleError } from '../lib/errors.ts'

const { required: _, ...registry } = layoutArgs.registry

const planArgs = {
  bundle: {
    type: 'positional',
    required: false,
    description:
      'File that the export would write, to see whether there is room for it. With --registry and no list, the bundle that is there: what its import would push',
  },
  images: imagesArg,
  ...prepareArgs,
  ...olderArgs,
  against: {
    type: 'string',
    hint: 'file',
    description:
      'Say what is added, removed and changed since this bundle or lock (default: that of --since)',
  },
  ...rateArgs,
  split: splitArgs.split,
  ...layoutArgs,
  registry: { ...registry, description: 'Ask this registry what of it all it has already' },
  ...ecrArgs,
  ...helmArgs,
  ...networkArgs,
} as const satisfies ArgsDef

export default defineBundleCommand({
  name: 'plan',
  description:
    'Previews an export before it is done: images, platforms, bytes before and after layers are shared, ' +
    'disk, time and what Docker Hub would count; with --registry also what the target registry has already. Fetches ' +
    'manifests and charts, no layers, and writes nothing.',
  examples: [
    { command: 'ma-bundle plan', description: 'the newest Migration Assistant' },
    {
      command: 'ma-bundle plan /mnt/usb/bundle.tar --spec my-spec.yaml',
      description: 'your own list, and whether it fits there',
    },
    {
      command: 'ma-bundle plan --against old.tar.lock.json',
      description: 'what an update would bring',
    },
    {
      command: 'ma-bundle plan bundle.tar --registry <host>',
      description: 'what an import of this bundle would push',
    },
    {
      command: 'ma-bundle plan --registry 123456789012.dkr.ecr.eu-central-1.amazonaws.com',
      description: 'from a machine that sees both sides: what is missing there',
    },
  ],
  args: planArgs,
  async run(given, session) {
    const args = withoutBundle(given)
    const layout = args.registry === undefined ? undefined : layoutOf({ ...args, registry: args.registry })
    const bundle = await bundleOf(args, session)
    if (bundle !== undefined && layout !== undefined && args.registry !== undefined) {
      const { previewImport } = await import('../api/import-preview.ts')
      const target = await targetSettings({ ...args, ...noSettings, registry: args.registry }, session)
      const request = { layout, target, trust: args, pick: args, repair: 'none' } as const
      return showPreview(await previewImport(bundle, request, session), session)
    }
    const { source, target } = splitLogin(args, layout?.registry ?? '')
    const medium = await newMediumAt(args.bundle ?? 'bundle.tar', { split: args.split }, session)
    const request: PlanRequest = {
      source: sourceSettings(args),
      network: await networkSettings({ ...args, ...(layout === undefined ? {} : source) }, session),
      older: args,
      to: args.bundle === undefined ? undefined : medium,
      against: args.against,
      destination:
        layout === undefined || args.registry === undefined
          ? undefined
          : {
              layout,
              target: await targetSettings(
                { ...args, ...target, ...noSettings, registry: args.registry },
                session,
              ),
            },
    }
    const around = { ...session, volumes: args.volumes }
    const planned = await planFor(request, around, (notice) => session.note(noticeText(notice)))
    const { prepared, ...found } = planned
    const outlook: Outlook = { rate: args.rate, split: args.split, free: await medium.free(), ...found }
    session.result(...forecast(prepared, outlook, session))
    refuseMissing(prepared.missing)
  },
})

/** With a registry and without a list: the bundle that is there already, if one is. */
async function bundleOf(
  { bundle, registry: to, images, image, chart, manifests, spec, lock, volumes }: Args<typeof planArgs>,
  session: CommandSession,
): Promise<Medium | undefined> {
  const lists = [images, image, chart, manifests, spec]
  if (bundle === undefined || to === undefined || lock !== undefined) return undefined
  if (lists.some((list) => list.length > 0)) return undefined
  const medium = await findMedium(bundle, { ...session, volumes })
  if (medium?.can.seek !== true) return undefined
  try {
    const file = await medium.open()
    await file.close()
    return medium
  } catch (error) {
    // Nothing is there yet: it is where an export would write.
    if (error instanceof BundleError && error.kind === 'usage') return undefined
    throw error
  }
}

/** A plan needs no bundle, so that the first word may be an image already. */
const withoutBundle = (args: Args<typeof planArgs>): Args<typeof planArgs> =>
  args.bundle !== undefined && isImageWord(args.bundle)
    ? { ...args, bundle: undefined, images: [args.bundle, ...args.images] }
    : args
