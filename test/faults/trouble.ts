import { statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ecr } from '../support/ecr/server.ts'
import type { Interruption, Trouble } from './choose.ts'
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
  return `tokens expire at ${trouble.afterMs} ms`
}
