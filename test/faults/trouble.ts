import { existsSync, readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ecr } from '../support/ecr/server.ts'
import { scanArchive } from '../../src/archive/scan.ts'
import { openFile } from '../../src/lib/bytes/file.ts'
import type { Interruption, Next, Trouble } from './choose.ts'
import type { Child, Timer } from './spawned.ts'

/** Sends the signals when their time has come. */
export const signalled = (child: Child, interruption: Interruption | undefined): Timer[] =>
  (interruption?.signals ?? []).map((signal, at) =>
    setTimeout(() => child.kill(signal), (interruption?.afterMs ?? 0) + at * 30),
  )

/** Fills the disk, or lets every token expire. */
export function troubled(trouble: Trouble | undefined, disk: string, ecr: Ecr | undefined): Timer[] {
  if (trouble?.kind === 'tokens') return [setTimeout(() => ecr?.advance(13 * 3600), trouble.afterMs)]
  if (trouble?.kind !== 'disk') return []
  const fill = (): void => {
    const { bavail, bsize } = statfsSync(disk)
    writeFileSync(join(disk, 'filler'), Buffer.alloc(Math.max(0, bavail * bsize - trouble.leave)))
  }
  return [setTimeout(fill, trouble.afterMs)]
}

/** How a clock comes to jump: by a module that runs before the program. */
export const clockOf = (trouble: Trouble | undefined) =>
  trouble?.kind === 'clock'
    ? { preload: join(import.meta.dirname, 'clock.ts'), clock: `${trouble.afterMs}:${trouble.seconds}` }
    : {}

/** As the table of the campaign says it. */
export function words(trouble: Trouble): string {
  if (trouble.kind === 'clock') return `clock ${trouble.seconds} s at ${trouble.afterMs} ms`
  if (trouble.kind === 'disk') return `disk full but ${trouble.leave} bytes at ${trouble.afterMs} ms`
  if (trouble.kind === 'rot') return `${trouble.bits} bits rot`
  if (trouble.kind === 'planted') return `a leftover is planted, right but for all but ${trouble.spare}`
  if (trouble.kind === 'second') return `a second run at ${trouble.afterMs} ms`
  if (trouble.kind === 'files') return `ulimit -n ${trouble.limit}`
  return `tokens expire at ${trouble.afterMs} ms`
}

/** Bits of an unfinished file flip while nobody looks. */
export function rot(file: string, bits: number, next: Next): void {
  if (!existsSync(file)) return
  const bytes = readFileSync(file)
  for (let at = 0; at < bits && bytes.length > 0; at += 1) {
    const spot = Math.floor(next() * bytes.length)
    bytes[spot] = (bytes[spot] ?? 0) ^ (1 << Math.floor(next() * 8))
  }
  writeFileSync(file, bytes)
}

/** An unfinished file as an attacker leaves it: all headers of the bundle, and content of their own. */
export async function plant(file: string, whole: string, spare: string): Promise<void> {
  const reader = await openFile(whole)
  const { entries } = await scanArchive(reader)
  await reader.close()
  const bytes = readFileSync(whole)
  for (const { path, dataAt, size } of entries.values()) {
    const isSpared =
      (path === 'bundle.json' && spare !== 'nothing') || (path === 'SHA256SUMS' && spare === 'table and sums')
    if (!isSpared) bytes.fill(0x45, dataAt, dataAt + size)
  }
  writeFileSync(file, bytes)
}
