import type { Layout } from '../bundle/format/destination.ts'
import { keepInUse, keepLocked, keepRoots, nothingKept, type Kept } from '../bundle/site/prune/kept.ts'
import {
  ownRepositories,
  planPrune,
  prune,
  type PrunedRepository,
  type RepositoryPlan,
} from '../bundle/site/prune/prune.ts'
import { ecrStore, registryStore, type StoredManifest } from '../bundle/site/prune/store.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { exitCodes, type ExitCode } from '../bundle/run/exit.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { ecrArgs, layoutArgs, layoutOf, openTarget } from '../cli/flags/registry.ts'
import { noSettings } from '../cli/flags/repository.ts'
import { eachSignatureArgs } from '../cli/flags/signing.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import type { MediumOptions } from '../bundle/media/medium.ts'
import type { SignatureOptions } from '../bundle/media/trust.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { readLock } from '../setup/lock-io.ts'
import { readObjects } from '../cli/output/read-objects.ts'
import { table } from '../cli/ui/table.ts'
import { formatBytes, plural } from '../lib/format.ts'
import { createPool } from '../lib/pool.ts'

export default defineBundleCommand({
  name: 'prune',
  description:
    'Lists what a registry has below the prefixes and no kept bundle needs, and with --yes deletes it. Indexes go before ' +
    'their children; signatures and SBOMs go with their image. Nothing outside the prefixes is ever inspected.',
  examples: [
    {
      command: 'ma-bundle prune --registry <host> --keep bundle.tar',
      description: 'lists what only older bundles brought, and changes nothing',
    },
    {
      command: 'ma-bundle prune --registry <host> --keep new.tar --keep old.tar.lock.json --yes',
      description: 'deletes it; a lock is enough to keep a bundle',
    },
    {
      command:
        'kubectl get pods,deploy,sts,ds,jobs,cronjobs -A -o json | ma-bundle prune --registry <host> --keep b.tar --in-use -',
      description: 'keeps also whatever these objects name',
    },
  ],
  args: {
    ...layoutArgs,
    keep: {
      type: 'string',
      required: true,
      multiple: true,
      hint: 'bundle|lock',
      description: 'Keep what this bundle or lock has; may be given several times',
    },
    also: {
      type: 'string',
      multiple: true,
      hint: 'bundle|lock',
      description:
        'Look at the repositories of this older one too, where the registry does not list its repositories',
    },
    inUse: {
      type: 'string',
      multiple: true,
      hint: 'file',
      description:
        'Keep what these objects of a cluster name, as kubectl get -o json or yaml prints them; - is standard input',
    },
    grace: {
      type: 'integer',
      min: 0,
      max: 525_600,
      default: 60,
      hint: 'minutes',
      description: 'Leave what was pushed less than this long ago, where the registry records it (ECR)',
    },
    yes: { type: 'boolean', description: 'Delete; without it, only list' },
    ...volumesArgs,
    ...eachSignatureArgs,
    ...ecrArgs,
    ...networkArgs,
  },
  async run(args, session): Promise<ExitCode> {
    const layout = layoutOf(args)
    const kept = await keptBy(args.keep, layout, { ...session, ...args })
    for (const name of args.inUse) keepInUse(kept, await readObjects(name, session), layout.registry)
    const opened = await openTarget({ ...args, ...noSettings }, session)
    try {
      const { client, concurrency, signal } = opened.network
      const store =
        opened.ecr === undefined
          ? registryStore(client, layout.registry)
          : ecrStore(opened.ecr, client, layout.registry)
      const also = await keptBy(args.also, layout, { ...session, ...args })
      const listed = await store.repositories()
      if (listed === undefined)
        session.emit({
          type: 'warning',
          message:
            'the registry does not list its repositories: only those of the bundles given are inspected',
          where: `destination ${layout.registry}`,
          next: 'name older bundles whose repositories may have something to delete: --also <bundle>',
        })
      const known = [kept, also].flatMap(({ byRepository }) => [...byRepository.keys()])
      const repositories = ownRepositories(listed ?? [...new Set(known)], layout)
      const plans = await planPrune(store, repositories, kept, {
        graceMs: args.grace * 60_000,
        now: Date.now(),
        concurrency,
        signal,
      })
      const due = plans.filter(({ remove }) => remove.length > 0)
      const outcomes: PrunedRepository[] = []
      if (args.yes) {
        const pool = createPool(concurrency)
        outcomes.push(...(await Promise.all(due.map((plan) => pool.run(() => prune(store, plan, signal))))))
      }
      const width = session.columns
      session.result(dataOf(layout, plans, args.yes ? outcomes : undefined), () =>
        args.yes ? doneText(outcomes, plans) : planText(due, plans, width),
      )
      return outcomes.some(({ refused, changed }) => refused.length + changed.length > 0)
        ? exitCodes.failed
        : exitCodes.ok
    } finally {
      opened.close()
    }
  },
})

// --- internal ---

async function keptBy(
  names: readonly string[],
  layout: Layout,
  options: MediumOptions & SignatureOptions,
): Promise<Kept> {
  const kept = nothingKept()
  for (const name of names) {
    if (name.endsWith('.json')) {
      keepLocked(kept, await readLock(name), layout)
      continue
    }
    await withBundle(name, options, async ({ bundle }) => keepRoots(kept, bundle.roots, layout))
  }
  return kept
}

const shown = ({ digest, tags, size, pushedAt }: StoredManifest) => ({
  digest,
  tags,
  size,
  ...(pushedAt === undefined ? {} : { pushedAt: new Date(pushedAt).toISOString() }),
})

function dataOf(
  { registry }: Layout,
  plans: readonly RepositoryPlan[],
  outcomes: readonly PrunedRepository[] | undefined,
) {
  const due = plans.filter(({ remove }) => remove.length > 0)
  return {
    registry,
    deleted: outcomes !== undefined,
    kept: sum(plans, ({ kept }) => kept),
    young: sum(plans, ({ young }) => young),
    repositories: due.map(({ repository, remove }) => {
      const outcome = outcomes?.find((one) => one.repository === repository)
      return {
        repository,
        manifests: (outcome?.removed ?? remove).map(shown),
        refused: (outcome?.refused ?? []).map(({ digest, reason }) => ({ digest, reason })),
        changed: (outcome?.changed ?? []).map(shown),
        repositoryDeleted: outcome?.repositoryRemoved ?? false,
      }
    }),
  }
}

const sum = <T>(items: readonly T[], of: (item: T) => number): number =>
  items.reduce((all, item) => all + of(item), 0)

const labelOf = ({ tags, digest }: StoredManifest): string => (tags.length > 0 ? tags.join(', ') : digest)

function planText(due: readonly RepositoryPlan[], plans: readonly RepositoryPlan[], width: number): string {
  const rest = restText(plans)
  if (due.length === 0) return `Nothing to delete: ${rest}.\n`
  const rows = due.flatMap(({ repository, remove }) =>
    remove.map((one) => [
      formatBytes(one.size),
      one.pushedAt === undefined ? '' : new Date(one.pushedAt).toISOString().slice(0, 10),
      `${repository}${one.tags.length > 0 ? ':' : '@'}${labelOf(one)}`,
    ]),
  )
  const columns = [
    { title: 'size', align: 'right' as const, whole: true as const },
    { title: 'pushed', whole: true as const },
    { title: 'manifest', whole: true as const },
  ]
  const manifests = sum(due, ({ remove }) => remove.length)
  const bytes = sum(due, ({ remove }) => sum(remove, ({ size }) => size))
  return (
    `${table(columns, rows, width)}\n` +
    `Would delete ${plural(manifests, 'manifest')} in ${plural(due.length, 'repository', 'repositories')}, at most ${formatBytes(bytes)}; ${rest}.\n` +
    'Nothing was changed. To delete them, run the same command with --yes.\n'
  )
}

function doneText(outcomes: readonly PrunedRepository[], plans: readonly RepositoryPlan[]): string {
  const lines = outcomes.flatMap(({ repository, refused, changed, repositoryRemoved }) => [
    ...refused.map(({ digest, reason }) => `not deleted: ${repository}@${digest}: ${reason}`),
    ...changed.map(
      (one) => `left: ${repository}@${one.digest} has other tags than a moment ago; run it again`,
    ),
    ...(repositoryRemoved ? [`deleted the empty repository ${repository}`] : []),
  ])
  const removed = outcomes.flatMap((one) => one.removed)
  const bytes = sum(removed, ({ size }) => size)
  return `${[...lines, `Deleted ${plural(removed.length, 'manifest')}, at most ${formatBytes(bytes)}; ${restText(plans)}.`].join('\n')}\n`
}

const restText = (plans: readonly RepositoryPlan[]): string => {
  const young = sum(plans, (plan) => plan.young)
  return (
    `${plural(
      sum(plans, ({ kept }) => kept),
      'manifest',
    )} kept in ${plural(plans.length, 'repository', 'repositories')}` +
    (young === 0 ? '' : `, ${young} left because they were pushed lately (--grace)`)
  )
}
