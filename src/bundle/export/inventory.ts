import { usageError } from '../../lib/errors.ts'
import type { Emit } from '../../lib/events.ts'
import { createPool } from '../../lib/pool.ts'
import { listed } from '../../lib/format.ts'
import type { RawManifest } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { digestOf, hexOf, isDigest, type Digest } from '../../oci/digest.ts'
import { blobsOf, parseIndex, parseManifest } from '../../oci/manifest.ts'
import { isIndex, isManifest } from '../../oci/media-types.ts'
import type { BundleEvent } from '../run/events.ts'
import { isGone } from '../../registry/error.ts'
import type { ImportRepository, ImportTarget } from '../run/target.ts'

/** What a registry reports that it has. */
export interface Inventory {
  /** Of blobs. */
  readonly has: (digest: Digest) => boolean
  readonly count: number
}

export interface InventoryOptions {
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
  /** Repositories at a time. */
  readonly concurrency: number
}

/** How an inventory begins. */
export const INVENTORY = 'ma-bundle-inventory/1'

/** Digits of a digest that tell a registry's blobs apart, when somebody has to type them. */
export const SHORT = 12

/**
 * The blobs of every tag in the repositories that are there, sorted; only those that the registry really has. What it
 * lost below a tag is left out with a warning: an export that relied on it could not be imported.
 */
export async function takeInventory(
  repositories: readonly string[],
  target: ImportTarget,
  { concurrency, signal, emit }: InventoryOptions,
): Promise<readonly Digest[]> {
  emit({ type: 'phase', phase: 'resolve', items: repositories.length, bytes: 0 })
  const pool = createPool(concurrency)
  const found = new Set<Digest>()
  const look = async (repository: string): Promise<void> => {
    const from = target.open(repository)
    const named = new Map<Digest, Descriptor>()
    const lost: string[] = []
    for (const tag of await tagsOf(target, repository)) {
      signal.throwIfAborted()
      for (const blob of await blobsBelow(from, tag, lost)) named.set(blob.digest, blob)
    }
    const blobs = [...named.values()]
    const known = blobs.length === 0 ? new Set<Digest>() : await from.present(blobs)
    for (const blob of blobs) {
      signal.throwIfAborted()
      if (known.has(blob.digest) || (await from.exists(blob))) found.add(blob.digest)
      else lost.push(blob.digest)
    }
    if (lost.length === 0) return
    emit({
      type: 'warning',
      message: `the registry lost ${listed(lost)}, which its tags need; the inventory does without`,
      where: `destination ${repository}`,
      next: 'see what is missing with "ma-bundle verify --registry", and repair it with "ma-bundle import --repair"',
    })
  }
  await Promise.all([...new Set(repositories)].map((repository) => pool.run(() => look(repository))))
  return [...found].toSorted()
}

/** Text to carry, or to type: a line a digest, and a line to check that all of it was typed right. */
export function encodeInventory(digests: readonly Digest[], isShort: boolean): string {
  const lines = digests.map((digest) => hexOf(digest).slice(0, isShort ? SHORT : undefined))
  return [`${INVENTORY} ${lines.length}`, ...lines, `check ${checkOf(lines)}`, ''].join('\n')
}

/**
 * Reads one, as it was written or typed: upper case, blanks within a line and empty lines do no harm.
 * @throws a usage error for one that is not whole, or has a slip in it
 */
export function decodeInventory(text: string, where: string): Inventory {
  const wrong = (why: string, next: string) =>
    usageError(`the inventory is not right: ${why}`, { where, next })
  const [head = '', ...rest] = linesOf(text)
  const count = Number(/^ma-bundle-inventory\/1\s+(\d+)$/.exec(head)?.[1] ?? Number.NaN)
  const check = /^check\s*([0-9a-f]{8})$/.exec(rest.at(-1) ?? '')?.[1]
  if (Number.isNaN(count))
    throw wrong(`its first line is "${head.slice(0, 60)}"`, `write ${INVENTORY} and the number of lines`)
  if (check === undefined)
    throw wrong('its last line is not "check" and eight digits', 'see whether its end is missing')
  const lines = rest.slice(0, -1).map((line) => line.replaceAll(/\s+/g, ''))
  const odd = lines.findIndex(
    (line) =>
      !/^[0-9a-f]+$/.test(line) ||
      line.length !== lines[0]?.length ||
      line.length < SHORT ||
      line.length > 64,
  )
  if (odd >= 0)
    throw wrong(
      `line ${odd + 2} is no digest: "${(lines[odd] ?? '').slice(0, 80)}"`,
      'compare it with the original',
    )
  if (lines.length !== count)
    throw wrong(
      `its first line says ${count} digests, it has ${lines.length}`,
      'see which lines are missing or doubled',
    )
  const unsorted = lines.findIndex((line, at) => at > 0 && line <= (lines[at - 1] ?? ''))
  if (unsorted >= 0)
    throw wrong(
      `line ${unsorted + 2} is not behind the one before it`,
      'compare these two with the original: lines are sorted',
    )
  if (checkOf(lines) !== check)
    throw wrong('a digit is not what it was', 'compare it with the original line by line')
  const known = new Set(lines)
  const length = lines[0]?.length ?? 64
  return { count, has: (digest) => known.has(hexOf(digest).slice(0, length)) }
}

// --- internal ---

/** Of a text that is an inventory, or begins with one as comments: what `check --write-spec` writes. */
function linesOf(text: string): readonly string[] {
  const lines = text
    .replace(/^\uFEFF/, '')
    .trimStart()
    .split('\n')
    .map((line) => line.trim().toLowerCase())
  if (lines[0]?.startsWith('#') !== true) return lines.filter((line) => line !== '')
  const end = lines.findIndex((line) => !line.startsWith('#'))
  return lines.slice(0, end < 0 ? lines.length : end).map((line) => line.replace(/^#\s*/, ''))
}

const checkOf = (lines: readonly string[]): string => hexOf(digestOf(lines.join('\n'))).slice(0, 8)

/** None for a repository that is not there. */
async function tagsOf(target: ImportTarget, repository: string): Promise<readonly string[]> {
  const tags: string[] = []
  try {
    for await (const tag of target.tags(repository)) tags.push(tag)
  } catch (error) {
    if (!isGone(error)) throw error
  }
  return tags
}

/** Everything a tag needs, as far as its manifests are there; those that are not are added to `lost`. */
async function blobsBelow(
  from: ImportRepository,
  reference: string,
  lost: string[],
  depth = 0,
): Promise<readonly Descriptor[]> {
  const raw = await manifestAt(from, reference)
  if (raw === undefined || depth > MAX_DEPTH) {
    lost.push(isDigest(reference) ? reference : `the manifest of tag ${reference}`)
    return []
  }
  if (!isIndex(raw.descriptor.mediaType)) return blobsOf(parseManifest(raw))
  const below: Descriptor[] = []
  for (const child of parseIndex(raw).children) {
    if (isManifest(child.mediaType)) below.push(...(await blobsBelow(from, child.digest, lost, depth + 1)))
    else below.push(child)
  }
  return below
}

/** Deeper than any real index. */
const MAX_DEPTH = 8

async function manifestAt(from: ImportRepository, reference: string): Promise<RawManifest | undefined> {
  try {
    return await from.resolve(reference)
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}
