import type { ErrorKind } from '../../lib/errors.ts'

/** What each exit code of every command means. Scripts rely on them: add, never change. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  auth: 3,
  network: 4,
  integrity: 5,
  cancelled: 130,
} as const satisfies Record<ErrorKind | 'ok', number>

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** For help texts: one line per code. */
export const exitMeanings: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [exitCodes.ok, 'everything is done'],
  [exitCodes.failed, 'some or all of the work failed'],
  [exitCodes.usage, 'a flag, a spec or a file name is wrong'],
  [exitCodes.auth, 'authentication or permission is missing'],
  [exitCodes.network, 'a host cannot be reached or does not answer'],
  [exitCodes.integrity, 'bytes are not what their digest says'],
  [exitCodes.cancelled, 'stopped by Ctrl-C or SIGTERM'],
]
