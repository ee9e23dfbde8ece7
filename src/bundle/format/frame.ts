import { isOurHeader } from '../../archive/reader.ts'
import { BLOCK, END_MARK, padded, type PlacedEntry } from '../../archive/tar.ts'
import { collect, type RandomReader } from '../../lib/bytes/bytes.ts'

/** An entry whose bytes are not what they have to be. */
export interface Damage {
  readonly path: string
  /** Of its content in the file, bytes. */
  readonly offset: number
  readonly size: number
  readonly reason: string
}

/** What lies between the entries of a bundle of ours, and behind them: only zeros, and of one length. */
export async function frameDamage(
  file: RandomReader,
  entries: readonly PlacedEntry[],
): Promise<readonly Damage[]> {
  const damages: Damage[] = []
  for (const { path, dataAt, size } of entries) {
    await zeros(`(padding of ${path})`, dataAt + size, padded(size) - size)
  }
  const last = entries.at(-1)
  const end = last === undefined ? 0 : last.dataAt + padded(last.size)
  await zeros('(end mark)', end, Math.min(file.size - end, END_MARK))
  const more = file.size - end - END_MARK
  if (more > 0) {
    const reason = `the file continues for ${more} bytes after its end`
    damages.push({ path: '(end of file)', offset: end + END_MARK, size: more, reason })
  }
  return damages

  async function zeros(path: string, offset: number, size: number): Promise<void> {
    if (size <= 0) return
    const bytes = await collect(file.read(offset, size))
    if (bytes.every((byte) => byte === 0)) return
    damages.push({ path, offset, size, reason: 'bytes that belong to no entry are not zero' })
  }
}

/**
 * Headers of a bundle that was packed again are all of another tool's form. When most are of ours, the others are
 * damaged.
 */
export async function headerDamage(
  file: RandomReader,
  entries: readonly PlacedEntry[],
): Promise<readonly Damage[]> {
  const foreign: PlacedEntry[] = []
  for (const entry of entries) {
    if (!isOurHeader(await collect(file.read(entry.headerAt, BLOCK)), entry)) foreign.push(entry)
  }
  if (foreign.length * 2 > entries.length) return []
  return foreign.map(({ path, size, headerAt }) => ({
    path,
    offset: headerAt,
    size,
    reason: 'its header is not as export writes it',
  }))
}
