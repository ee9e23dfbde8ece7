import { Header } from 'tar'
import { BLOCK, END_MARK, padded } from '../../archive/tar.ts'
import { bytesOf, type Bytes } from '../../lib/bytes/bytes.ts'
import { release } from '../../lib/bytes/buffers.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { ImporterProgram } from '../format/importer.ts'

/** A layer that holds this program and nothing else. */
export interface ProgramLayer {
  readonly descriptor: Descriptor
  open(start: number): Bytes
}

/** Where the program lies in its image: on the PATH of nearly every base. */
export const PROGRAM_FILE = 'usr/local/bin/ma-bundle'

/**
 * The program as a layer that is not compressed: no two versions of a compressor make the same bytes. Without owner
 * and time, so that the same program makes the same layer.
 * https://github.com/opencontainers/image-spec/blob/main/layer.md
 */
export async function programLayer(program: ImporterProgram, signal: AbortSignal): Promise<ProgramLayer> {
  const { size } = program
  const folders = PROGRAM_FILE.split('/').slice(0, -1)
  const head = Buffer.concat([
    ...folders.map((_, at) => header(`${folders.slice(0, at + 1).join('/')}/`, 'Directory', 0)),
    header(PROGRAM_FILE, 'File', size),
  ])
  const tail = padded(size) - size + END_MARK
  const open = async function* (start: number): Bytes {
    // Whoever uses a piece last may take its memory, so each reader gets its own.
    yield* bytesOf(new Uint8Array(head), start)
    const at = Math.max(0, start - head.length)
    if (at < size) yield* await program.source.fetch(contentOf(program), at)
    yield* bytesOf(new Uint8Array(tail), Math.max(0, start - head.length - size))
  }
  const hasher = new Bun.CryptoHasher('sha256')
  for await (const chunk of open(0)) {
    signal.throwIfAborted()
    hasher.update(chunk)
    release(chunk)
  }
  return {
    descriptor: {
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: `sha256:${hasher.digest('hex')}`,
      size: head.length + size + tail,
    },
    open,
  }
}

// --- internal ---

const contentOf = ({ digest, size }: ImporterProgram): Descriptor => ({
  mediaType: 'application/octet-stream',
  digest,
  size,
})

function header(path: string, type: 'Directory' | 'File', size: number): Uint8Array {
  const block = Buffer.alloc(BLOCK)
  new Header({
    path,
    size,
    mode: 0o755,
    uid: 0,
    gid: 0,
    uname: '',
    gname: '',
    mtime: new Date(0),
    type,
  }).encode(block, 0)
  return block
}
