import { basename } from 'node:path'
import { lookAtDestination } from '../bundle/import/compare-plan.ts'
import { refuseMissing } from '../bundle/export/prove-charts.ts'
import type { Prepared } from '../bundle/export/prepared.ts'
import { lockIn } from '../bundle/export/since.ts'
import { INVENTORY } from '../bundle/export/inventory.ts'
import { diffLock } from '../bundle/spec/lock.ts'
import type { Lock } from '../bundle/spec/lock-file.ts'
import { usageError } from '../lib/errors.ts'
import { newMediumAt } from '../bundle/media/at.ts'
import { openBase } from '../bundle/media/base.ts'
import { defineBundleCommand } from '../cli/command.ts'
import type { Args, ArgsDef } from '../cli/args/flags.ts'
import { forecast, rateArgs, type Outlook } from '../cli/output/forecast.ts'
import { helmArgs } from '../cli/flags/helm.ts'
import { networkArgs, openNetwork } from '../cli/flags/network.ts'
import { imagesArg } from '../cli/flags/source.ts'
import { olderArgs } from '../cli/flags/since-reuse.ts'
import { openOlder } from '../setup/older.ts'
import { prepare, prepareArgs } from '../cli/flags/prepare.ts'
import { ecrArgs, layoutArgs, layoutOf, openTarget } from '../cli/flags/registry.ts'
import { noSettings } from '../cli/flags/repository.ts'
import type { Session } from '../cli/session.ts'
import { splitArgs } from '../cli/flags/output.ts'
import { splitLogin } from '../cli/flags/network.ts'

const { required: _, ...registry } = layoutArgs.registry

const planArgs = {
  bundle: {
    type: 'positional',
    required: false,
    description: 'File that the export would write: tells whether there is room for it',
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

type PlanArgs = Args<typeof planArgs>

export default defineBundleCommand({
  name: 'plan',
  description:
    'Tells what an export would be before it is done: images, platforms, bytes before and after layers are shared, ' +
    'disk, time and what Docker Hub would count; with --registry also what the other side has already. Fetches ' +
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
      command: 'ma-bundle plan --registry 123456789012.dkr.ecr.eu-central-1.amazonaws.com',
      description: 'from a machine that sees both sides: what is missing there',
    },
  ],
  args: planArgs,
  async run(args, session) {
    const layout = args.registry === undefined ? undefined : layoutOf({ ...args, registry: args.registry })
    const { source, target } = splitLogin(args, layout?.registry ?? '')
    // Before anything is resolved: a login or a file that is wrong is known at once.
    const opened =
      args.registry === undefined
        ? undefined
        : await openTarget({ ...args, ...target, ...noSettings, registry: args.registry }, session)
    try {
      const before = await olderLock(args, session)
      const medium = await newMediumAt(args.bundle ?? 'bundle.tar', { split: args.split }, session)
      const replaced = args.bundle === undefined ? undefined : medium
      const older = await openOlder(args, { ...session, volumes: args.volumes }, replaced)
      try {
        const network = await openNetwork({ ...args, ...(opened === undefined ? {} : source) }, session)
        const { prepared } = older.reuse(
          await prepare(args, session, network, { ...older, tolerateMissing: true }),
        )
        const outlook: Outlook = {
          rate: args.rate,
          split: args.split,
          network,
          free: await medium.free(),
          ...(before === undefined ? {} : { against: changesSince(before, prepared) }),
          ...(opened === undefined || layout === undefined
            ? {}
            : {
                destination: {
                  registry: layout.registry,
                  ...(await lookAtDestination(prepared.roots, opened.target, { ...opened.network, layout })),
                },
              }),
        }
        session.result(...forecast(prepared, outlook, session))
        refuseMissing(prepared.missing)
      } finally {
        await older.close()
      }
    } finally {
      opened?.close()
    }
  },
})

// --- internal ---

interface OlderLock {
  readonly name: string
  readonly lock: Lock
}

/** The lock to compare with: what the flags name, when it has one. An inventory knows no names. */
async function olderLock(
  { against, since, reuse, ...args }: PlanArgs,
  session: Session,
): Promise<OlderLock | undefined> {
  const path = against ?? since ?? reuse
  if (path === undefined) return undefined
  const file = await openBase(path, { ...session, ...args }, INVENTORY)
  try {
    const lock =
      file.kind === 'lock' ? file.lock : file.kind === 'bundle' ? await lockIn(file.bundle) : undefined
    if (lock !== undefined) return { name: basename(path), lock }
    if (against === undefined) return undefined
    throw usageError('it does not say what its images were: only bundles of ma-bundle and locks do', {
      where: basename(path),
      next: 'give the bundle or the lock of the last export',
    })
  } finally {
    await file.close()
  }
}

function changesSince({ name, lock }: OlderLock, prepared: Prepared): NonNullable<Outlook['against']> {
  const now = prepared.lock
  const changes = diffLock(lock, now)
  const count = now.images.length + now.charts.length + now.files.length
  return { name, changes, same: count - changes.filter(({ after }) => after !== undefined).length }
}
