import { basename } from 'node:path'
import type { BundleExportOptions } from '../bundle/export/export.ts'
import { decodeInventory, INVENTORY } from '../bundle/export/inventory.ts'
import { openBundle, type Bundle } from '../bundle/format/open.ts'
import type { Prepared } from '../bundle/export/prepared.ts'
import type { KnownManifests } from '../bundle/resolve/image.ts'
import { manifestsIn, reuseFrom } from '../bundle/export/reuse.ts'
import { absentBlobs, type SinceBase } from '../bundle/export/since.ts'
import { mediumAt } from '../bundle/media/at.ts'
import { openBase, type BaseFile } from '../bundle/media/base.ts'
import type { Medium, MediumOptions } from '../bundle/media/medium.ts'
import { BundleError } from '../lib/errors.ts'
import { checkTrust, type SignatureOptions } from '../bundle/media/trust.ts'

export interface Older {
  /** What to leave out, for `prepareExport`. */
  readonly since?: NonNullable<BundleExportOptions['since']>
  /** Manifests of the earlier bundle, for `prepareExport`. */
  readonly known?: KnownManifests
  /** The same export, taking from the earlier bundle what it has; `given` counts the bytes it gave. */
  reuse(prepared: Prepared): { readonly prepared: Prepared; readonly given: () => number }
  close(): Promise<void>
}

/** What was exported before. */
export interface OlderSettings {
  /** What the other side has: an earlier bundle, its lock, or an inventory. */
  readonly since?: string | undefined
  /** An earlier bundle to read from. */
  readonly reuse?: string | undefined
  /** Public key that must have signed each bundle that is read, and whether one is required. */
  readonly verifyKey?: string | undefined
  readonly requireSignature?: boolean | undefined
}

/**
 * Opens it. What is opened stays open until the export is done.
 * @param replaced where the export goes: a bundle that is there already is read from, unless another one is given
 */
export async function openOlder(
  { since, reuse, verifyKey, requireSignature }: OlderSettings,
  around: MediumOptions,
  replaced?: Medium,
): Promise<Older> {
  const options = { ...around, verifyKey, requireSignature }
  const base = since === undefined ? undefined : await openBase(since, options, INVENTORY)
  try {
    const known = base === undefined || since === undefined ? undefined : baseOf(base, basename(since))
    const reused =
      reuse === undefined ? await openReplaced(replaced, options) : await openReused(reuse, options)
    return {
      ...(known === undefined ? {} : { since: (roots) => absentBlobs(roots, known) }),
      ...(reused === undefined ? {} : { known: manifestsIn(reused.bundle) }),
      reuse: (prepared) => reusing(prepared, reused?.bundle),
      async close() {
        await base?.close()
        await reused?.close()
      },
    }
  } catch (error) {
    await base?.close()
    throw error
  }
}

// --- internal ---

interface ReusedBundle {
  readonly bundle: Bundle
  close(): Promise<void>
}

async function openReused(name: string, options: MediumOptions & SignatureOptions): Promise<ReusedBundle> {
  const medium = await mediumAt(name, options)
  const file = await medium.open()
  try {
    const bundle = await openBundle(file)
    await checkTrust(bundle, medium, { ...options, signature: undefined })
    return { bundle, close: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** A finished bundle of our own, signed when that is asked for; anything else is replaced without being read. */
async function openReplaced(
  medium: Medium | undefined,
  options: SignatureOptions,
): Promise<ReusedBundle | undefined> {
  const file = await medium?.earlier()
  if (file === undefined || medium === undefined) return undefined
  try {
    const bundle = await openBundle(file)
    await checkTrust(bundle, medium, { ...options, signature: undefined })
    if (bundle.own) return { bundle, close: () => file.close() }
  } catch (error) {
    if (!(error instanceof BundleError)) throw error
  }
  await file.close()
  return undefined
}

function baseOf(file: BaseFile, name: string): SinceBase {
  if (file.kind === 'text') return { kind: 'inventory', inventory: decodeInventory(file.text, name) }
  return file.kind === 'lock' ? { kind: 'lock', lock: file.lock } : { kind: 'bundle', bundle: file.bundle }
}

function reusing(prepared: Prepared, bundle: Bundle | undefined): ReturnType<Older['reuse']> {
  if (bundle === undefined) return { prepared, given: () => 0 }
  const { plan, size, given } = reuseFrom(prepared.plan, bundle)
  return { prepared: { ...prepared, plan, toFetch: prepared.toFetch - size }, given }
}
