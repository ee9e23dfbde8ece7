import type { RepairWriter } from '../../archive/edit-in-place.ts'
import { encodeHeader, place, type PlacedEntry } from '../../archive/tar.ts'
import { collect, type RandomReader } from '../../lib/bytes/bytes.ts'
import { BundleError, integrityError } from '../../lib/errors.ts'
import { digestOf, type Digest } from '../../oci/digest.ts'
import { verified } from '../../oci/verify.ts'
import { openOversized, type Bundle } from '../format/open.ts'
import { HEAD } from '../format/plan.ts'
import { localContent, type Donor } from './repair-sources.ts'
import { encodeSums, parseSums, readSums, SUMS } from '../format/sums.ts'
import type { Damage } from '../format/frame.ts'
import { expectedDigest, verifyBundle, type Verified, type VerifyOptions } from './verify.ts'

/** Opens the bundle as it is now. */
type OpenBundle = () => Promise<RandomReader>

export interface Repaired {
  /** As it was. */
  readonly before: readonly Damage[]
  /** As it is now; empty of damages when all could be repaired. */
  readonly after: Verified
}

/**
 * Repairs a bundle in place: only what is damaged is fetched, verified, and written where it belongs, the header last.
 * @param open a bundle of ours, again for each look; one that was packed again has no places that are known
 * @param repairing the same bundle, to be written to
 * @throws an integrity error when its table is damaged and no other bundle of the same list is available
 */
export async function repairBundle(
  open: OpenBundle,
  repairing: RepairWriter,
  donor: (bundle: Bundle | undefined) => Promise<Donor>,
  options: VerifyOptions,
): Promise<Repaired> {
  const table = await repairTable(open, repairing, donor)
  const before = await reading(open, (file) => verifyBundle(file, options))
  const damages = [...table, ...before.damaged]
  if (damages.length === 0) return { before: damages, after: before }
  await reading(open, async (file) => {
    const bundle = await openOversized(file)
    if (!bundle.own) throw packedAgain()
    await repairAll(repairing, file, bundle, before.damaged, await donor(bundle))
  })
  repairing.sync()
  return { before: damages, after: await reading(open, (file) => verifyBundle(file, options)) }
}

// --- internal ---

const packedAgain = () =>
  integrityError(
    'the bundle was packed again by another program, so the places of its entries are not known',
    {
      next: 'copy the bundle again from where it was whole, or export it again',
    },
  )

async function reading<T>(open: OpenBundle, work: (file: RandomReader) => Promise<T>): Promise<T> {
  const file = await open()
  try {
    return await work(file)
  } finally {
    await file.close()
  }
}

/** When bundle.json or what proves it is damaged, nothing else has a place; only a bundle of the same list can tell. */
async function repairTable(
  open: OpenBundle,
  repairing: RepairWriter,
  donor: (bundle: Bundle | undefined) => Promise<Donor>,
): Promise<readonly Damage[]> {
  const fault = await reading(open, faultOf)
  if (fault === undefined) return []
  const { bundle } = await donor(undefined)
  if (bundle?.own !== true) throw fault
  const entries = place([...bundle.archive.entries.values()]).entries
  const [head] = entries
  const sums = entries.find((entry) => entry.path === SUMS)
  if (head === undefined || sums === undefined) throw fault
  const right = await bundle.archive.readAll(HEAD)
  const same = await reading(open, async (file) => {
    if (file.size < sums.dataAt + sums.size) return false
    const own = await collect(file.read(head.dataAt, head.size))
    const listed = parseSums(new TextDecoder().decode(await collect(file.read(sums.dataAt, sums.size))))
    return digestOf(own) === digestOf(right) || listed.get(HEAD) === digestOf(right)
  })
  if (!same) throw fault
  for (const [entry, content] of [
    [head, right] as const,
    [sums, await bundle.archive.readAll(SUMS)] as const,
  ]) {
    repairing.write(content, entry.dataAt)
    repairing.write(encodeHeader(entry), entry.headerAt)
  }
  repairing.sync()
  return [{ path: HEAD, offset: head.dataAt, size: head.size, reason: fault.message }]
}

/** Why the table cannot be read. */
async function faultOf(file: RandomReader): Promise<BundleError | undefined> {
  try {
    const { own } = await openOversized(file)
    return own ? undefined : packedAgain()
  } catch (error) {
    if (error instanceof BundleError && error.kind === 'integrity') return error
    throw error
  }
}

async function repairAll(
  repairing: RepairWriter,
  file: RandomReader,
  bundle: Bundle,
  damages: readonly Damage[],
  donor: Donor,
): Promise<void> {
  const sums = new Map([
    ...(donor.bundle === undefined ? [] : await readSums(donor.bundle.archive)),
    ...(await readSums(bundle.archive)),
  ])
  const { entries, size } = place([...bundle.archive.entries.values()])
  const damaged = new Set(damages.map(({ path }) => path))
  for (const { path, offset, size: length } of damages) {
    if (path.startsWith('(') && offset < size) repairing.write(new Uint8Array(length), offset)
  }
  if (file.size > size) repairing.truncate(size)
  for (const entry of entries) {
    if (!damaged.has(entry.path) || entry.path === SUMS) continue
    const digest = expectedDigest(entry.path, sums)
    if (digest === undefined) continue
    await repairOne(repairing, entry, digest, bundle, damaged, donor)
  }
  const list = entries.find(({ path }) => path === SUMS)
  if (list === undefined || !damaged.has(SUMS)) return
  const lines = entries.flatMap(({ path }) => {
    const digest = path === SUMS ? undefined : expectedDigest(path, sums)
    return digest === undefined ? [] : [[path, digest] as const]
  })
  const text = encodeSums(lines)
  if (text.length !== list.size) return
  repairing.write(text, list.dataAt)
  repairing.write(encodeHeader(list), list.headerAt)
}

/** From the bundle itself, where it has the same content twice or can tell it, else from the donor. */
async function repairOne(
  repairing: RepairWriter,
  entry: PlacedEntry,
  digest: Digest,
  bundle: Bundle,
  damaged: ReadonlySet<string>,
  donor: Donor,
): Promise<void> {
  const sources = [() => localContent(entry, digest, bundle, damaged), () => donor.fetch(digest, entry.size)]
  for (const source of sources) {
    const bytes = await source()
    if (bytes === undefined) continue
    let at = entry.dataAt
    try {
      for await (const chunk of verified(bytes, { digest, size: entry.size })) {
        repairing.write(chunk, at)
        at += chunk.length
      }
    } catch (error) {
      // Wrong there too; the check afterwards names what is still damaged.
      if (error instanceof BundleError && error.kind === 'integrity') continue
      throw error
    }
    repairing.sync()
    repairing.write(encodeHeader(entry), entry.headerAt)
    return
  }
}
