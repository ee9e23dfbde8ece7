import { basename } from 'node:path'
import { INVENTORY } from '../bundle/export/inventory.ts'
import type { Prepared } from '../bundle/export/prepared.ts'
import { lockIn } from '../bundle/export/since.ts'
import type { Layout } from '../bundle/format/destination.ts'
import { lookAtDestination, type AtDestination } from '../bundle/import/compare-plan.ts'
import { openBase } from '../bundle/media/base.ts'
import type { Medium, MediumOptions } from '../bundle/media/medium.ts'
import type { Network } from '../bundle/run/network.ts'
import { diffLock, type LockChange } from '../bundle/spec/lock.ts'
import type { Lock } from '../bundle/spec/lock-file.ts'
import { usageError } from '../lib/errors.ts'
import type { OnNotice } from '../setup/source.ts'
import { connectTarget, type OpenedTarget, type TargetSettings } from '../setup/target.ts'
import { withExport, type ExportRequest } from './export-to.ts'

/** What is to be planned, and what it is compared with. */
export interface PlanRequest extends Pick<ExportRequest, 'source' | 'network' | 'older'> {
  /** Where the export would go: what a bundle that is there already has need not be fetched. */
  readonly to?: Medium | undefined
  /** An older bundle or lock; what is older for the export counts unless it is given. */
  readonly against?: string | undefined
  /** The registry that is asked what of it all it has already. */
  readonly destination?: { readonly layout: Layout; readonly target: TargetSettings } | undefined
}

export interface Planned {
  readonly prepared: Prepared
  readonly network: Network
  /** What changed since the older one. */
  readonly against?: { readonly name: string; readonly changes: readonly LockChange[]; readonly same: number }
  readonly destination?: AtDestination & { readonly registry: string }
}

/** Resolves what an export would take, and writes nothing. */
export async function planFor(
  request: PlanRequest,
  around: MediumOptions,
  onNotice: OnNotice,
): Promise<Planned> {
  const { destination } = request
  // Before anything is resolved: a login or a file that is wrong is known at once.
  const opened = destination === undefined ? undefined : await connectTarget(destination.target, around)
  try {
    const before = await olderLock(request, around)
    const exporting = { ...request, programs: { platforms: [], from: [] } }
    return await withExport(
      exporting,
      around,
      { onNotice, tolerateMissing: true, ...(request.to === undefined ? {} : { to: request.to }) },
      async ({ prepared, network }) => ({
        prepared,
        network,
        ...(before === undefined ? {} : { against: changesSince(before, prepared) }),
        ...(opened === undefined || destination === undefined
          ? {}
          : { destination: await foundAt(prepared, opened, destination.layout) }),
      }),
    )
  } finally {
    opened?.close()
  }
}

// --- internal ---

interface OlderLock {
  readonly name: string
  readonly lock: Lock
}

const foundAt = async (
  { roots }: Prepared,
  { target, network }: OpenedTarget,
  layout: Layout,
): Promise<NonNullable<Planned['destination']>> => ({
  registry: layout.registry,
  ...(await lookAtDestination(roots, target, { ...network, layout })),
})

/** The lock to compare with, when the older one has one. An inventory knows no names. */
async function olderLock(
  { against, older }: PlanRequest,
  around: MediumOptions,
): Promise<OlderLock | undefined> {
  const path = against ?? older.since ?? older.reuse
  if (path === undefined) return undefined
  const { verifyKey, requireSignature } = older
  const file = await openBase(path, { ...around, verifyKey, requireSignature }, INVENTORY)
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

function changesSince({ name, lock }: OlderLock, prepared: Prepared): NonNullable<Planned['against']> {
  const now = prepared.lock
  const changes = diffLock(lock, now)
  const count = now.images.length + now.charts.length + now.files.length
  return { name, changes, same: count - changes.filter(({ after }) => after !== undefined).length }
}
