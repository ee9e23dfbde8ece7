import { importPipe } from '../../bundle/import/import-stream.ts'
import { openBundlePipe } from '../../bundle/media/open-stream.ts'
import { verifyPipe } from '../../bundle/verify/stream.ts'
import type { Layout } from '../../bundle/format/destination.ts'
import type { Bytes } from '../../lib/bytes/bytes.ts'
import { BundleError, codeOf, integrityError, messageOf, usageError } from '../../lib/errors.ts'
import { formatBytes } from '../../lib/format.ts'
import type { Args } from '../args/flags.ts'
import { finishImport, type valuesArgs } from '../output/import-result.ts'
import type { NetworkArgs } from '../flags/network.ts'
import { openTarget, type EcrArgs, type LayoutArgs } from '../flags/registry.ts'
import type { RepositoryArgs } from '../flags/repository.ts'
import type { Session } from '../session.ts'
import { checkSignature, type SignatureArgs } from '../flags/signing.ts'

type PipeImportArgs = Args<typeof valuesArgs> &
  SignatureArgs &
  LayoutArgs &
  EcrArgs &
  RepositoryArgs &
  NetworkArgs & { readonly bundle: string }

/** Imports the bundle that comes through standard input, while it comes. */
export async function importFromPipe(args: PipeImportArgs, layout: Layout, session: Session): Promise<void> {
  if (args.passwordStdin) {
    throw usageError('standard input cannot be both the bundle and the password', {
      next: 'log in before (docker login), or import from a file',
    })
  }
  checkNamed(args)
  await withPipe(session, async (bytes) => {
    // Whoever is not let in learns it before anything is read.
    const opened = await openTarget(args, session)
    try {
      const started = performance.now()
      const pipe = await openBundlePipe(bytes)
      const { bundle } = pipe
      await checkSignature(bundle, args, session)
      const imported = await importPipe(pipe, opened.target, { ...opened.network, layout })
      await finishImport({ imported, bundle, layout, started, name: 'standard input' }, args, session)
    } finally {
      opened.close()
    }
  })
}

/** Verifies the bundle that comes through standard input, in one pass. */
export async function verifyFromPipe(
  args: SignatureArgs & { readonly bundle: string },
  session: Session,
): Promise<void> {
  checkNamed(args)
  const { entries, bytes, damaged, sums } = await withPipe(session, (piped) => verifyPipe(piped, session))
  if (args.verifyKey !== undefined || args.requireSignature) await checkSignature({ sums }, args, session)
  session.result({ bundle: 'standard input', entries, bytes, damaged }, () =>
    damaged.length === 0
      ? `The bundle is whole: ${entries} entries, ${formatBytes(bytes)}\n`
      : damaged.map(({ path, offset, reason }) => `${path} at byte ${offset}: ${reason}\n`).join(''),
  )
  if (damaged.length === 0) return
  throw integrityError(`${damaged.length} of ${entries} entries are damaged`, {
    where: 'standard input',
    next: 'verify it on the sending side, and send it again',
  })
}

/**
 * Standard input as a bundle's bytes. Who stops, or has seen enough, does not wait for whoever writes.
 * @throws a usage error for a terminal
 */
export async function withPipe<Result>(
  { stdin, signal }: Pick<Session, 'stdin' | 'signal'>,
  work: (bytes: Bytes) => Promise<Result>,
): Promise<Result> {
  if ('isTTY' in stdin && stdin.isTTY === true) {
    throw usageError('no bundle comes in: standard input is a terminal', {
      next: 'send one into it, as ma-bundle export - writes it; or name a file',
    })
  }
  const stop = (): void => void stdin.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await work(piecesOf(stdin, signal))
  } finally {
    signal.removeEventListener('abort', stop)
    stdin.destroy()
  }
}

// --- internal ---

function checkNamed({ verifyKey, signature }: SignatureArgs): void {
  if (verifyKey === undefined || signature !== undefined) return
  throw usageError('a pipe has no signature beside it', { next: 'name its file: --signature <file>' })
}

async function* piecesOf(stdin: Session['stdin'], signal: AbortSignal): Bytes {
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
