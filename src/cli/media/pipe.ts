import { place } from '../../archive/tar.ts'
import { streamArchive } from '../../bundle/export/stream-archive.ts'
import type { Bytes } from '../../lib/bytes/bytes.ts'
import { BundleError, codeOf, usageError } from '../../lib/errors.ts'
import { formatBytes } from '../../lib/format.ts'
import type { Output as Stream } from '../context.ts'
import type { Output } from './medium.ts'
import type { Session } from '../session.ts'
import { signPlanned } from '../flags/signing.ts'
import { isSplit, type SplitArgs } from './volumes.ts'

/** The name of the pipe in the place of a file's. */
export const PIPE = '-'

/** What the flags of `export` say that matters to a pipe. */
export interface PipeArgs extends SplitArgs {
  readonly dryRun?: boolean
  readonly sign?: string | undefined
  readonly signatureOut?: string | undefined
}

/**
 * Standard output: the bundle in order, and nothing else.
 * @throws a usage error for a terminal, for volumes, and for a signature that has no place
 */
export function pipeOutput(args: PipeArgs, session: Session): Output {
  const { signatureOut, sign, dryRun = false } = args
  const { stdout } = session
  if (isSplit(args)) throw usageError('a pipe has no volumes', { next: 'name a file with --split' })
  if (stdout.isTTY === true && !dryRun) {
    throw usageError('a bundle is no text: standard output is a terminal', {
      next: 'send it into a pipe, to ma-bundle import - on the other side; or name a file',
    })
  }
  if (sign !== undefined && signatureOut === undefined) {
    throw usageError('a pipe has no place for the signature beside the bundle', {
      next: 'name a file for it: --signature-out <file>',
    })
  }
  return {
    name: 'standard output',
    async write({ plan }, network) {
      const tally = { fetched: 0 }
      const { size } = place(plan.entries)
      await send(stdout, streamArchive(plan, { ...network, tally }), size, network.signal)
      return { size, fetched: tally.fetched, kept: 0 }
    },
    // The lock is in the bundle; nothing can be beside it.
    writeLock: () => Promise.resolve(),
    sign: ({ plan }, signer) => signPlanned(plan, signer, session, signatureOut ?? ''),
  }
}

// --- internal ---

/** Writes at the pace of who reads: a piece when the one before has been taken. */
async function send(stream: Stream, content: Bytes, size: number, signal: AbortSignal): Promise<void> {
  // What goes wrong is told by the writing itself; the event that comes too is no crash.
  stream.on('error', () => undefined)
  // A reader that has fallen asleep must not keep who wants to stop.
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
