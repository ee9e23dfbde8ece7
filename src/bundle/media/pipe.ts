import { place } from '../../archive/tar.ts'
import type { Bytes } from '../../lib/bytes/bytes.ts'
import { BundleError, codeOf, messageOf, usageError } from '../../lib/errors.ts'
import { formatBytes } from '../../lib/format.ts'
import { nothingToAbandon, type Medium, type MediumOptions, type WriteSettings, noEarlier } from './medium.ts'
import { sidecars } from './sidecar.ts'

/**
 * Standard input or standard output: the bundle in order, once, and nothing else.
 * @throws a usage error for volumes, for a signature that has no place, and when standard input carries something else
 */
export function pipeMedium(
  _: string,
  options: MediumOptions,
  { split, onlyVolume, signed = false }: WriteSettings,
): Medium {
  const { stdin, stdout, signal, stdinTaken = false } = options
  if (split !== undefined || onlyVolume !== undefined)
    throw usageError('a pipe has no volumes', { next: 'name a file with --split' })
  if (signed) {
    throw usageError('a pipe has no place for the signature next to the bundle', {
      next: 'name a file for it: --signature-out <file>',
    })
  }
  if (stdinTaken) {
    throw usageError('standard input cannot be both the bundle and the password', {
      next: 'log in before (docker login), or import from a file',
    })
  }
  const once = (): Promise<never> =>
    Promise.reject(
      usageError('a bundle that comes through a pipe can only be imported or verified', {
        next: 'write it into a file, and name that',
      }),
    )
  return {
    kind: 'pipe',
    name: 'standard input',
    stem: 'bundle',
    can: { seek: false, edit: false, sidecar: false },
    earlier: noEarlier,
    free: () => Promise.resolve(undefined),
    check: () =>
      stdout.isTTY === true
        ? Promise.reject(
            usageError('a bundle is no text: standard output is a terminal', {
              next: 'send it into a pipe, to ma-bundle import - on the other side; or name a file',
            }),
          )
        : Promise.resolve(),
    open: once,
    stream: (use) => streamInput(stdin, signal, use),
    async write({ plan }, network) {
      const { streamArchive } = await import('../export/stream-archive.ts')
      const tally = { fetched: 0 }
      const { size } = place(plan.entries)
      await send(stdout, streamArchive(plan, { ...network, tally }), size, network.signal)
      return { size, fetched: tally.fetched, kept: 0, name: 'standard output', travels: 'sent' }
    },
    edit: once,
    abandon: nothingToAbandon,
    ...sidecars(() => {
      throw usageError('a pipe has no signature next to it', { next: 'name its file: --signature <file>' })
    }, options),
  }
}

// --- internal ---

/** A run that stops, or has read enough, does not wait for the program that writes. */
async function streamInput<Result>(
  stdin: MediumOptions['stdin'],
  signal: AbortSignal,
  use: (bytes: Bytes) => Promise<Result>,
): Promise<Result> {
  if ('isTTY' in stdin && stdin.isTTY === true) {
    throw usageError('no bundle comes in: standard input is a terminal', {
      next: 'send one into it, as ma-bundle export - writes it; or name a file',
    })
  }
  const stop = (): void => void stdin.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await use(piecesOf(stdin, signal))
  } finally {
    signal.removeEventListener('abort', stop)
    stdin.destroy()
  }
}

async function* piecesOf(stdin: MediumOptions['stdin'], signal: AbortSignal): Bytes {
  try {
    for await (const piece of stdin) {
      signal.throwIfAborted()
      yield piece instanceof Uint8Array ? piece : Buffer.from(String(piece), 'latin1')
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof BundleError) throw error
    throw new BundleError(`the pipe cannot be read: ${codeOf(error) ?? messageOf(error)}`, {
      kind: 'failed',
      where: 'standard input',
      cause: error,
    })
  }
  signal.throwIfAborted()
}

/** Writes at the reader's pace: a piece when the one before has been taken. */
async function send(
  stream: MediumOptions['stdout'],
  content: Bytes,
  size: number,
  signal: AbortSignal,
): Promise<void> {
  // The write itself fails too; the event that comes with it is no crash.
  stream.on('error', () => undefined)
  // A reader that has fallen asleep must not keep a run that wants to stop.
  const stop = (): void => void stream.destroy()
  signal.addEventListener('abort', stop, { once: true })
  let sent = 0
  try {
    for await (const piece of content) {
      await new Promise<void>((resolve, reject) => {
        stream.write(piece, (error) => (error instanceof Error ? reject(error) : resolve()))
      })
      sent += piece.length
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!CLOSED.has(codeOf(error) ?? '') || error instanceof BundleError) throw error
    throw new BundleError(
      `who read the pipe has gone: ${formatBytes(sent)} of ${formatBytes(size)} were written`,
      {
        kind: 'failed',
        where: 'standard output',
        next: 'see what the program behind the pipe says, then run both again',
        cause: error,
      },
    )
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

const CLOSED: ReadonlySet<string> = new Set(['EPIPE', 'EIO', 'ECONNRESET', 'ERR_STREAM_DESTROYED'])
