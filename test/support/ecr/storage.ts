import { closeSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { hexOf, type Digest } from '../../../src/oci/digest.ts'
import type { Content } from './http.ts'

/** Bytes on their way in: hashed as they come, named when they are complete. */
export interface Staged {
  readonly size: number
  write(chunk: Uint8Array): void
  /** Of all bytes so far. */
  digest(): Digest
  /** Moves the bytes under their digest. */
  keep(digest: Digest): void
  discard(): void
}

export interface BlobStore {
  stage(id: string): Staged
  get(digest: Digest): Content | undefined
  drop(digest: Digest): void
}

export function memoryStore(): BlobStore {
  const blobs = new Map<Digest, Content>()
  return {
    stage() {
      const chunks: Uint8Array[] = []
      return staged(
        (chunk) => chunks.push(chunk),
        (digest, size) => {
          if (!blobs.has(digest))
            blobs.set(digest, { size, read: (start, end) => slices(chunks, start, end) })
        },
        () => chunks.splice(0),
      )
    },
    get: (digest) => blobs.get(digest),
    drop: (digest) => blobs.delete(digest),
  }
}

/** Keeps blobs as `<dir>/blobs/sha256/<hex>`, as an OCI image layout does. */
export function diskStore(dir: string): BlobStore {
  const blobs = join(dir, 'blobs', 'sha256')
  const uploads = join(dir, 'uploads')
  mkdirSync(blobs, { recursive: true })
  rmSync(uploads, { recursive: true, force: true })
  mkdirSync(uploads)
  const sizes = new Map<Digest, number>()
  return {
    stage(id) {
      const path = join(uploads, id)
      const fd = openSync(path, 'wx')
      return staged(
        (chunk) => writeFully(fd, chunk),
        (digest, size) => {
          closeSync(fd)
          renameSync(path, join(blobs, hexOf(digest)))
          sizes.set(digest, size)
        },
        () => {
          closeSync(fd)
          rmSync(path)
        },
      )
    },
    get(digest) {
      const size = sizes.get(digest)
      if (size === undefined) return undefined
      return { size, read: (start, end) => fileRange(join(blobs, hexOf(digest)), start, end) }
    },
    drop(digest) {
      if (sizes.delete(digest)) rmSync(join(blobs, hexOf(digest)))
    },
  }
}

// --- internal ---

const CHUNK = 1024 * 1024

function staged(
  append: (chunk: Uint8Array) => void,
  name: (digest: Digest, size: number) => void,
  discard: () => void,
): Staged {
  const hash = new Bun.CryptoHasher('sha256')
  let size = 0
  let open = true
  return {
    get size() {
      return size
    },
    write(chunk) {
      if (!open) throw new Error('written after it was kept or discarded')
      append(chunk)
      hash.update(chunk)
      size += chunk.length
    },
    digest: () => `sha256:${hash.copy().digest('hex')}`,
    keep(digest) {
      open = false
      name(digest, size)
    },
    discard() {
      if (open) discard()
      open = false
    },
  }
}

function writeFully(fd: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at, chunk.length - at)
}

async function* slices(chunks: readonly Uint8Array[], start: number, end: number): AsyncIterable<Uint8Array> {
  let at = 0
  for (const chunk of chunks) {
    const from = Math.max(0, start - at)
    const to = Math.min(chunk.length, end - at)
    if (to > from) yield chunk.subarray(from, to)
    at += chunk.length
  }
}

async function* fileRange(path: string, start: number, end: number): AsyncIterable<Uint8Array> {
  const fd = openSync(path, 'r')
  try {
    for (let at = start; at < end;) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK, end - at))
      const read = readSync(fd, chunk, 0, chunk.length, at)
      if (read === 0) throw new Error('a stored blob is shorter than it was')
      yield chunk.subarray(0, read)
      at += read
    }
  } finally {
    closeSync(fd)
  }
}
