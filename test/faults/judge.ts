import type { Interruption, Trouble } from './choose.ts'
import type { Ended } from './spawned.ts'

/** What a run that ended promises of its words and its code. */
export function judge(
  { code, stderr }: Ended,
  interruption: Interruption | undefined,
  trouble: Trouble | undefined,
): string[] {
  const broken: string[] = []
  if (/bug in ma-bundle/.test(stderr)) broken.push(`a bug: ${stderr.slice(0, 300)}`)
  if (interruption !== undefined && code > 128) return broken
  // A full disk may be seen before anything is fetched, and credentials may be over for good.
  const usual = [0, 1, 3, 4, 5, ...(trouble?.kind === 'disk' ? [2] : [])]
  if (!usual.includes(code)) broken.push(`exit code ${code}: ${stderr.slice(0, 300)}`)
  if (code !== 0 && !/^error: /m.test(stderr)) broken.push('it failed without a word')
  return broken
}
