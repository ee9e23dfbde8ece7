import type { Readable, Writable } from 'node:stream'

/** A stream that may be a terminal; `process.stdout` is one. */
export type OutputStream = Writable & {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

/** The world outside as a command sees it. `cli.ts` fills it from the process, tests from memory. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: Readable
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal
}

/** Whether output for people may be coloured. https://no-color.org: any value that is not empty says no. */
export const wantsColor = ({ env, stderr }: Context, flag: boolean): boolean =>
  flag && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb' && stderr.isTTY === true

/** Whether the person asked for insight into this program itself. */
export const isDebug = ({ env }: Context): boolean => (env['MA_BUNDLE_DEBUG'] ?? '') !== ''
