import { cutVolumes, splitSize } from '../../archive/volumes/volume.ts'
import type { AtDestination } from '../../bundle/import/compare-plan.ts'
import { verdictLine, verdictLines } from '../../bundle/charts/judge/verdict.ts'
import type { Prepared } from '../../bundle/export/prepared.ts'
import type { HubBudget } from '../../bundle/resolve/docker-hub-quota.ts'
import { formatChange, type LockChange } from '../../bundle/spec/lock.ts'
import { platformsOf } from '../../bundle/format/root.ts'
import type { Network } from '../../bundle/run/network.ts'
import { formatReference } from '../../oci/reference.ts'
import { formatBytes, formatDuration, plural } from '../../lib/format.ts'
import type { ArgsDef } from '../args/flags.ts'
import type { CommandSession } from '../session.ts'
import { exportSummary } from './summary.ts'

export const rateArgs = {
  rate: {
    type: 'size',
    default: 20 * 1024 ** 2,
    min: 1,
    description: 'Bytes per second, for the time estimate',
  },
} as const satisfies ArgsDef

/** What is known beside the plan itself. */
export interface Outlook {
  /** Bytes per second. */
  readonly rate: number
  readonly network: Network
  /** Bytes free where the bundle would be written; undefined when none would be. */
  readonly free?: number | undefined
  /** The most that a volume may have, bytes; undefined for one file. */
  readonly split?: number | undefined
  /** Against an older bundle or lock, called `name`. */
  readonly against?: { readonly name: string; readonly changes: readonly LockChange[]; readonly same: number }
  /** At a registry. */
  readonly destination?: AtDestination & { readonly registry: string }
}

/** What an export would be: the data for programs, and the text for people. Nothing is asked and nothing written. */
export function forecast(
  prepared: Prepared,
  { rate, network, free, split, against, destination }: Outlook,
  session: CommandSession,
): [data: object, text: () => string] {
  const { size, toFetch, weights, findings, absent } = prepared
  const hub = hubAfter(prepared.hub, network)
  const seconds = Math.ceil(toFetch / rate)
  const data = {
    dryRun: true,
    separate: weights.reduce((sum, root) => sum + root.size, 0),
    size,
    toFetch,
    disk: size,
    ...(split === undefined ? {} : { volumes: volumesIn(size, split) }),
    ...(free === undefined ? {} : { free }),
    seconds,
    rate,
    platforms: platformCounts(prepared),
    absent: { count: absent.length, bytes: absent.reduce((sum, blob) => sum + blob.size, 0) },
    ...(hub === undefined ? {} : { hub }),
    findings,
    proof: prepared.proof,
    missing: prepared.missing.map(({ image, chart, at, path }) => ({
      reference: formatReference(image),
      chart,
      at,
      ...(path === undefined ? {} : { path }),
    })),
    ...(against === undefined ? {} : { against: { ...against, ...countsOf(against.changes) } }),
    ...(destination === undefined ? {} : { destination }),
    roots: weights,
  }
  const facts: readonly (readonly [label: string, text: string | undefined])[] = [
    ['takes', contentsText(prepared)],
    ['platforms', platformText(data.platforms)],
    ['one by one', formatBytes(data.separate)],
    ['bundle', `${formatBytes(size)}, what images share is in it once`],
    [
      'left out',
      absent.length === 0
        ? undefined
        : `${plural(absent.length, 'blob')}, ${formatBytes(data.absent.bytes)}: the target registry has them`,
    ],
    ['volumes', split === undefined ? undefined : volumesText(size, split)],
    ['disk', free === undefined ? undefined : diskText(size, free)],
    [
      'to fetch',
      toFetch === 0
        ? 'nothing'
        : `${formatBytes(toFetch)}, ${formatDuration(seconds * 1000)} at ${formatBytes(rate)}/s`,
    ],
    ['Docker Hub', hub === undefined ? undefined : hubText(hub)],
    ['changes', against === undefined ? undefined : changesText(against)],
    ['registry', destination === undefined ? undefined : destinationText(destination)],
    ['proof', prepared.proof.length === 0 ? undefined : verdictLine(prepared.proof)],
    [
      'ECR',
      findings.length === 0
        ? undefined
        : `would refuse ${plural(findings.length, 'thing')}; see the warnings`,
    ],
  ]
  return [
    data,
    () =>
      [
        exportSummary(weights, session, destination),
        '',
        ...(against === undefined || against.changes.length === 0
          ? []
          : [...against.changes.map(formatChange), '']),
        ...verdictLines(prepared.proof, chartNames(prepared)),
        ...facts.flatMap(([label, text]) => (text === undefined ? [] : [`${label.padEnd(LABEL)}${text}`])),
        'Nothing was written.',
        '',
      ].join('\n'),
  ]
}

const chartNames = ({ roots }: Prepared): readonly string[] =>
  roots.flatMap((root) => (root.kind === 'chart' ? [root.chart] : []))

/** What Docker Hub counts, and what is left of its quota. */
export const hubText = ({ cost, remaining, limit, taken }: HubBudget & { readonly taken?: number }): string =>
  `would count up to ${plural(cost, 'pull')}; ` +
  (remaining === undefined ? 'it does not meter this machine.' : `${remaining} of ${limit ?? '?'} remain.`) +
  (taken === undefined || taken <= 0 ? '' : ` Finding this out took ${taken} of them.`)

// --- internal ---

const LABEL = 12

/** Manifests were fetched to make the plan; Docker Hub has counted these, and counts them again in the export. */
function hubAfter(
  hub: HubBudget | undefined,
  { client }: Network,
): (HubBudget & { readonly taken?: number }) | undefined {
  const now = client.rateLimit('docker.io')?.remaining
  if (hub?.remaining === undefined || now === undefined) return hub
  return { ...hub, remaining: now, taken: hub.remaining - now }
}

function contentsText({ roots }: Prepared): string {
  const count = (kind: string): number => roots.filter((root) => root.kind === kind).length
  const files = count('file')
  return [
    plural(count('image'), 'image'),
    plural(count('chart'), 'chart'),
    ...(files === 0 ? [] : [plural(files, 'file')]),
  ].join(', ')
}

/** In how many images each platform is. An image without an index says its platform in its config only. */
function platformCounts({ roots }: Prepared): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const root of roots) {
    if (root.kind !== 'image') continue
    const own = platformsOf(root)
    for (const name of own.length === 0 ? [SINGLE] : own) counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

const SINGLE = 'single'

function platformText(counts: Readonly<Record<string, number>>): string | undefined {
  const parts = Object.entries(counts)
    .filter(([name]) => name !== SINGLE)
    .map(([name, count]) => `${name} (${plural(count, 'image')})`)
  const single = counts[SINGLE]
  if (single !== undefined) parts.push(`${plural(single, 'image')} for one platform only`)
  return parts.length === 0 ? undefined : parts.join(', ')
}

const volumesIn = (size: number, split: number): number => cutVolumes('bundle', size, splitSize(split)).length

const volumesText = (size: number, split: number): string =>
  `${volumesIn(size, split)} of at most ${formatBytes(splitSize(split))}, all in one folder`

const diskText = (size: number, free: number): string =>
  free < size
    ? `needs ${formatBytes(size)} and has ${formatBytes(free)}: name a file on a larger disk`
    : `needs ${formatBytes(size)} and no more; ${formatBytes(free)} are free there`

const countsOf = (changes: readonly LockChange[]) => ({
  added: changes.filter(({ before }) => before === undefined).length,
  removed: changes.filter(({ after }) => after === undefined).length,
  changed: changes.filter(({ before, after }) => before !== undefined && after !== undefined).length,
})

function changesText({ name, changes, same }: NonNullable<Outlook['against']>): string {
  const { added, removed, changed } = countsOf(changes)
  return `${added} added, ${removed} removed, ${changed} changed, ${same} the same as in ${name}`
}

function destinationText({ registry, roots, upload }: NonNullable<Outlook['destination']>): string {
  const count = (state: string): number => roots.filter((root) => root.state === state).length
  const moves = count('moves')
  return (
    `${registry} has ${count('there')} of the ${roots.length} images and charts` +
    (moves === 0 ? '' : ` (${plural(moves, 'tag')} would move)`) +
    (upload.count === 0
      ? '; nothing to upload'
      : `; ${formatBytes(upload.bytes)} in ${plural(upload.count, 'blob')} to upload`)
  )
}
