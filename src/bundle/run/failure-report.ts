import { FailuresError } from './failures.ts'
import { BundleError, codeOf, messageOf, type ErrorKind } from '../../lib/errors.ts'
import { redact } from '../../lib/redact.ts'
import { exitCodes, type ExitCode } from './exit.ts'

/** A failure as people and scripts read it: the shape of `{"type":"error"}`. */
export interface FailureReport {
  readonly kind: ErrorKind | 'bug'
  readonly exitCode: ExitCode
  readonly message: string
  readonly where?: string
  readonly next?: string
  /** Messages of the causes, nearest first. */
  readonly causes: readonly string[]
  /** Worst first; only when several roots failed. */
  readonly failures?: readonly RootFailure[]
  /** The message says all there is to say of the failures. Never part of the JSON. */
  readonly isOneCause?: true
  /** Of a bug only. Never part of the JSON. */
  readonly stack?: string
}

export interface RootFailure {
  /** `image`, `chart` or `file`. */
  readonly root: string
  readonly name: string
  readonly error: FailureReport
}

/** From what makes a bundle worthless to what a second try may cure. */
export const severity: readonly FailureReport['kind'][] = [
  'bug',
  'integrity',
  'auth',
  'usage',
  'failed',
  'network',
  'cancelled',
]

/**
 * What to say of anything thrown. A `BundleError` speaks for itself; a system error (disk full, no permission) gets
 * words; everything else is a bug in this program, and says so. Once `cancelled`, whatever else broke is a consequence.
 */
export function describeFailure(error: unknown, cancelled = false): FailureReport {
  if (cancelled && !(error instanceof FailuresError)) {
    const stopped = { message: 'stopped', next: 'run the same command again: what is done is not done twice' }
    return report(
      'cancelled',
      error instanceof BundleError && error.kind === 'cancelled' ? error : stopped,
      error,
    )
  }
  if (error instanceof FailuresError) {
    return {
      ...report(cancelled ? 'cancelled' : error.kind, error, error.cause),
      failures: rootFailures(error),
      ...(error.isOneCause ? { isOneCause: true } : {}),
    }
  }
  if (error instanceof BundleError) return report(error.kind, error, error.cause)
  if (error instanceof DOMException && error.name === 'AbortError') {
    return report('cancelled', { message: 'stopped' }, error)
  }
  const known = systemErrors[codeOf(error) ?? '']
  if (known !== undefined) {
    return report(known.kind, { message: `${known.message} (${codeOf(error)})`, next: known.next }, error)
  }
  const call = systemCall(error)
  if (call !== undefined)
    return report('failed', { message: call, next: `see what the system says, ${again}` }, error)
  return bug(error)
}

// --- internal ---

interface Words {
  readonly message: string
  readonly where?: string | undefined
  readonly next?: string | undefined
}

function report(kind: ErrorKind, { message, where, next }: Words, cause: unknown): FailureReport {
  return {
    kind,
    exitCode: exitCodes[kind],
    message: redact(message),
    ...(where === undefined ? {} : { where: redact(where) }),
    ...(next === undefined ? {} : { next: redact(next) }),
    causes: causesOf(cause, message),
  }
}

/** What the system refused, where there are no words for it. */
function systemCall(error: unknown): string | undefined {
  const { code, errno, syscall } = (error ?? {}) as { code?: unknown; errno?: unknown; syscall?: unknown }
  if (typeof code !== 'string' || typeof errno !== 'number' || typeof syscall !== 'string') return undefined
  return `the system refuses "${syscall}": ${code}`
}

function bug(error: unknown): FailureReport {
  const name = error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : ''
  const stack = error instanceof Error ? error.stack : undefined
  return {
    kind: 'bug',
    exitCode: exitCodes.failed,
    message: redact(`this is a bug in ma-bundle: ${name}${withoutPaths(messageOf(error))}`),
    next: 'report it with what the same command prints with --verbose',
    causes: causesOf(error instanceof Error ? error.cause : undefined, messageOf(error)),
    ...(stack === undefined ? {} : { stack: redact(withoutFolders(withoutPaths(stack))) }),
  }
}

function causesOf(cause: unknown, said: string): string[] {
  const causes: string[] = []
  const seen = new Set<unknown>()
  for (let at = cause; at !== undefined && at !== null && !seen.has(at);) {
    seen.add(at)
    const message = redact(withoutPaths(messageOf(at)))
    if (message !== '' && message !== said && message !== causes.at(-1)) causes.push(message)
    at = at instanceof Error ? at.cause : undefined
  }
  return causes
}

/** The system's own words name whole paths: `ENOENT: no such file or directory, open '/home/me/x'`. */
const withoutPaths = (message: string): string => message.replaceAll(/'\/[^'\n]*\/([^'/\n]*)'/g, "'…/$1'")

/** Of a frame (`at run (/home/me/ma-bundle/src/commands/x.ts:1:2)`), what says where in the program it is. */
const withoutFolders = (stack: string): string =>
  stack.replaceAll(/(?:file:\/\/)?(?:\/[^\s()/:]+)+?((?:\/[^\s()/:]+){3})(?=:\d+:\d+)/g, '…$1')

function rootFailures(error: FailuresError): RootFailure[] {
  const found = error.failures.map(({ kind, name, error: reason }) => ({
    root: kind,
    name: redact(name),
    error: describeFailure(reason),
  }))
  return found.toSorted(
    (a, b) =>
      severity.indexOf(a.error.kind) - severity.indexOf(b.error.kind) || a.name.localeCompare(b.name, 'en'),
  )
}

type Known = { readonly kind: ErrorKind; readonly message: string; readonly next: string }

const failed = (message: string, next: string): Known => ({ kind: 'failed', message, next })
const network = (message: string): Known => ({
  kind: 'network',
  message,
  next: 'check the name, the network and the proxy settings, then run the same command again',
})
const again = 'then run the same command again'

/** Codes of the operating system that reach a person when nothing below has put them into better words. */
const systemErrors: Readonly<Record<string, Known>> = {
  ENOSPC: failed('the disk is full', `free some space, ${again}`),
  EDQUOT: failed('the disk quota is used up', `free some space, ${again}`),
  EFBIG: failed('the file system does not take files this large', 'split the bundle with --split fat32'),
  EROFS: failed('the file system is read-only', 'choose another place'),
  EACCES: failed('the file system denies access', 'check the owner and the mode of the file and its folder'),
  EPERM: failed('the operating system does not permit this', 'check the owner and the mode of the file'),
  ENOENT: failed('a file is not there', 'check the name'),
  ENOTDIR: failed('a part of the path is not a folder', 'check the name'),
  EISDIR: failed('a folder is where a file belongs', 'check the name'),
  EIO: failed('the disk or the medium has an error', 'copy the file to another drive and verify it'),
  ELOOP: failed('a link is in its place', 'name another file'),
  EEXIST: failed('a file of that name is in the way', 'remove it, or name another file'),
  EBUSY: failed('a file is in use', `see what uses it, ${again}`),
  ENAMETOOLONG: failed('a name is too long for the file system', 'choose a shorter name'),
  ENFILE: failed('too many files are open on this machine', `close other programs, ${again}`),
  ENOLCK: failed('the file system has no more locks', again),
  ENOMEM: failed('there is no memory left', `close other programs or lower --concurrency, ${again}`),
  EMFILE: failed('too many files are open', 'raise the limit (ulimit -n) or lower --concurrency'),
  ECONNREFUSED: network('the connection is refused'),
  ECONNRESET: network('the connection broke'),
  ENOTFOUND: network('the host name is not known'),
  EAI_AGAIN: network('the name server does not answer'),
  ETIMEDOUT: network('the host does not answer'),
  EHOSTUNREACH: network('the host cannot be reached'),
  ENETUNREACH: network('the network cannot be reached'),
}
