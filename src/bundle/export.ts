import type { Medium } from '../archive/medium.ts'
import { place } from '../archive/tar.ts'
import { BundleError, integrityError } from '../lib/errors.ts'
import { formatReference } from '../oci/reference.ts'
import type { Platform } from '../oci/platform.ts'
import type { Mirrors } from '../registry/mirror.ts'
import { staticChart, type RenderedChart } from './bind-charts.ts'
import type { BoundChart } from './bound-chart.ts'
import type { ChartProof } from './proof.ts'
import { closeAll, renderCharts, type HelmSetup } from './prove-charts.ts'
import { collectRoots, DEFAULT_PLATFORMS, type CollectOptions } from './collect.ts'
import { FORMAT, type Absent, type RootContents } from './contents.ts'
import { fillArchive, type Filled } from './fill.ts'
import { coverageOf } from './coverage.ts'
import { FailuresError } from './failures.ts'
import { hubBudget, type HubBudget } from './hub-budget.ts'
import { lintRoots, type LintFinding } from './lint.ts'
import { diffLock, formatChange, lockOf, pinnedBy } from './lock.ts'
import { encodeLock, type Lock } from './lock-file.ts'
import { plan, type Plan } from './plan.ts'
import { weigh, type RootWeight } from './report.ts'
import type { Program } from './program.ts'
import { platformsOf } from './resolve-image.ts'
import type { Root } from './root.ts'
import type { Session } from './session.ts'
import { refuseSharedTags } from './shared-tags.ts'
import { imagesOf, selectGroups, type BundleSpec } from './spec.ts'

export interface ExportOptions {
  readonly session: Session
  readonly spec: BundleSpec
  /** The spec as written: it travels in the bundle. */
  readonly specText: string
  /** Optional groups to take along. */
  readonly groups: readonly string[]
  readonly platforms?: readonly Platform[] | 'all'
  readonly allowMissingPlatforms: boolean
  readonly mirrors: Mirrors
  readonly referrers: boolean
  /** A real helm, to find where the charts' values name images, and layers of values by chart name. */
  readonly helm?: HelmSetup
  /** Take images along that the charts pull and the list lacks; otherwise they are an error. */
  readonly addMissing?: boolean
  /** Told what Docker Hub will count, before it counts anything. */
  readonly onHub?: (budget: HubBudget) => void
  /** Replays these digests; what has moved since is an error. */
  readonly lock?: Lock
  /** The program itself, to be carried along. */
  readonly programs?: readonly Program[]
  /** The blobs that the other side has: the bundle leaves them out. */
  readonly since?: (roots: readonly Root[]) => Promise<readonly Absent[]>
}

/** What an export will be, known before the first layer is fetched. */
export interface Prepared {
  readonly roots: readonly Root[]
  readonly plan: Plan
  /** What every reference was resolved to. */
  readonly lock: Lock
  /** Image bindings of the charts that a real helm rendered. */
  readonly bound: readonly BoundChart[]
  /** What was proven of them; empty without helm. */
  readonly proof: readonly ChartProof[]
  readonly weights: readonly RootWeight[]
  /** What the bundle leaves out. */
  readonly absent: readonly Absent[]
  /** Bytes of the bundle, and of what has to be fetched for it. */
  readonly size: number
  readonly toFetch: number
  /** What ECR would refuse. */
  readonly findings: readonly LintFinding[]
  /** What it takes from Docker Hub's quota, when anything does. */
  readonly hub?: HubBudget
}

/** Phase one: resolve everything and lay the archive out. Nothing is written. */
export async function prepareExport(options: ExportOptions): Promise<Prepared> {
  const { spec, session } = options
  const groups = selectGroups(spec, options.groups)
  const platforms = options.platforms ?? spec.platforms ?? DEFAULT_PLATFORMS
  const hub = await hubBudget(
    imagesOf(groups),
    options.mirrors,
    platforms === 'all' ? undefined : platforms.length,
    session,
  )
  if (hub !== undefined) options.onHub?.(hub)
  const locked = options.lock === undefined ? undefined : pinnedBy(options.lock)
  const collecting: CollectOptions = {
    ...options,
    ...(locked === undefined ? {} : { locked }),
    ...(spec.platforms === undefined ? {} : { specPlatforms: spec.platforms }),
  }
  const listed = await collectRoots(groups, collecting)
  session.signal.throwIfAborted()
  const { roots, bound, proof } = await withCharts(listed, options, async (rendered) => {
    const charts = boundCharts(listed, rendered)
    const all = [
      ...listed,
      ...(await missingRoots(
        charts.filter((chart) => chart.rendered),
        listed,
        options,
        collecting,
      )),
    ]
    return { roots: all, bound: charts, proof: await proveAll(rendered, all.map(contentsOf)) }
  })
  session.signal.throwIfAborted()
  refuseSharedTags(roots.map(contentsOf))
  const lock = lockOf(spec, roots)
  if (options.lock !== undefined) checkLock(options.lock, lock)
  const absent = (await options.since?.(roots)) ?? []
  const layout = plan(roots, {
    format: FORMAT,
    name: spec.name,
    ...(spec.version === undefined ? {} : { version: spec.version }),
    spec: options.specText,
    roots: roots.map(contentsOf),
    bound,
    proof,
    ...(absent.length === 0 ? {} : { absent }),
    programs: options.programs ?? [],
    lock: encodeLock(lock),
  })
  const findings = lintRoots(roots)
  for (const { name, what, remedy } of findings) {
    session.emit({ type: 'warning', message: `ECR would refuse it: ${what}`, where: name, next: remedy })
  }
  return {
    roots,
    bound,
    proof,
    lock,
    absent,
    findings,
    ...(hub === undefined ? {} : { hub }),
    plan: layout,
    weights: weigh(roots),
    size: place(layout.entries).size,
    toFetch: layout.transfers
      .filter(({ path }) => options.programs?.some((program) => program.path === path) !== true)
      .reduce((sum, { descriptor }) => sum + descriptor.size, 0),
  }
}

/** Phase two: fetch everything to its final place. */
export const writeExport = (medium: Medium, prepared: Prepared, session: Session): Promise<Filled> =>
  fillArchive(medium, prepared.plan, session)

// --- internal ---

/** Everything the lock pins that is also in the bundle has to be the same there, platforms included. */
function checkLock(wanted: Lock, found: Lock): void {
  const changes = diffLock(wanted, found)
  const missing = changes.filter(({ before, after }) => before === undefined || after !== undefined)
  if (missing.length === 0) return
  throw integrityError(
    `${missing.length} things are not as the lock has them:\n${missing.map(formatChange).join('\n')}`,
    {
      next: 'use the spec and the platforms the lock was made with, or refresh it with: ma-bundle lock',
    },
  )
}

/** Renders the charts of the bundle when there is a helm, and lets go of them afterwards. */
async function withCharts<Result>(
  roots: readonly Root[],
  { helm, session }: ExportOptions,
  work: (rendered: readonly RenderedChart[]) => Promise<Result>,
): Promise<Result> {
  if (helm === undefined) return work([])
  const rendered = await renderCharts(
    roots.filter((root) => root.kind === 'chart'),
    helm,
    session,
  )
  try {
    return await work(rendered)
  } finally {
    await closeAll(rendered)
  }
}

/** By rendering where that was possible, by the names of keys elsewhere. */
const boundCharts = (roots: readonly Root[], rendered: readonly RenderedChart[]): readonly BoundChart[] =>
  roots
    .filter((root) => root.kind === 'chart')
    .map(
      ({ chart, version, tgz }) =>
        rendered.find(({ bound }) => bound.chart === chart && bound.version === version)?.bound ??
        staticChart(tgz, []),
    )

async function proveAll(
  rendered: readonly RenderedChart[],
  roots: readonly RootContents[],
): Promise<readonly ChartProof[]> {
  const proofs: ChartProof[] = []
  for (const chart of rendered) proofs.push(await chart.prove(roots))
  return proofs
}

/** The images that the charts pull and the list lacks: fetched when asked for, else an error. */
async function missingRoots(
  bound: readonly BoundChart[],
  listed: readonly Root[],
  { spec, session, addMissing = false }: ExportOptions,
  collecting: CollectOptions,
): Promise<readonly Root[]> {
  const { missing, unreferenced } = coverageOf(bound, listed, spec)
  if (bound.length > 0 && unreferenced.length > 0) {
    session.emit({
      type: 'warning',
      message: `no chart refers to ${unreferenced.join(', ')}`,
      where: spec.name,
    })
  }
  if (missing.length === 0) return []
  if (!addMissing) {
    throw new FailuresError(
      `${missing.length} images that the charts will pull are not in the list; without them pods would not start`,
      missing.map(({ chart, place, reference, hint }) => ({
        kind: 'image',
        name: formatReference(reference),
        error: new BundleError(
          `${chart} pulls it (${place})${hint?.when === undefined ? '' : ` when ${hint.when}`}`,
          {
            kind: 'failed',
            ...(hint === undefined ? {} : { next: hint.reason }),
          },
        ),
      })),
      'add them with --add-missing, or to the list; --no-prove leaves the charts unrendered',
    )
  }
  const images = missing.map(({ reference }) => ({ reference, allowMissingPlatforms: false }))
  return collectRoots([{ name: 'missing', optional: false, charts: [], images, files: [] }], collecting)
}

function contentsOf(root: Root): RootContents {
  const { kind, name } = root
  if (kind === 'file') return { kind, name, digest: root.descriptor.digest, size: root.descriptor.size }
  const { digest, size, mediaType } = root.graph.root.descriptor
  const common = { name, digest, size, mediaType }
  if (kind === 'chart')
    return { kind, ...common, chart: root.chart, version: root.version, repository: root.repository }
  const original = root.original === undefined ? {} : { original: root.original.digest }
  return { kind, ...common, platforms: platformsOf(root), ...original }
}
