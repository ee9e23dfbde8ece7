import { createHash, randomUUID } from 'node:crypto'

/** Bytes at rest. */
export interface Stored {
  readonly size: number
  read(start: number, end: number): AsyncIterable<Uint8Array>
}

/** An object as it can be read. */
export interface S3Object extends Stored {
  readonly etag: string
  readonly version: string
  /** Base64 of the composite sha256 with the number of parts, or of the object. */
  readonly sha256?: string
  /** Headers it was written with: encryption, storage class, content type. */
  readonly settings: Readonly<Record<string, string>>
  readonly archived?: boolean
}

export interface Part extends Stored {
  readonly etag: string
  readonly sha256?: string
}

export interface Upload {
  readonly id: string
  readonly key: string
  readonly parts: Map<number, Part>
  readonly settings: Readonly<Record<string, string>>
  readonly initiated: string
}

export interface Bucket {
  readonly name: string
  readonly region: string
  readonly objects: Map<string, S3Object>
  readonly uploads: Map<string, Upload>
}

export const createBucket = (name: string, region: string): Bucket => ({
  name,
  region,
  objects: new Map(),
  uploads: new Map(),
})

export const inMemory = (pieces: readonly Uint8Array[]): Stored => ({
  size: pieces.reduce((sum, piece) => sum + piece.length, 0),
  async *read(start, end) {
    let at = 0
    for (const piece of pieces) {
      const from = Math.max(0, start - at)
      const to = Math.min(piece.length, end - at)
      if (from < to) yield piece.slice(from, to)
      at += piece.length
    }
  },
})

/** Of parts, one behind the other. */
export const joined = (parts: readonly Stored[]): Stored => ({
  size: parts.reduce((sum, { size }) => sum + size, 0),
  async *read(start, end) {
    let at = 0
    for (const part of parts) {
      const from = Math.max(0, start - at)
      const to = Math.min(part.size, end - at)
      if (from < to) yield* part.read(from, to)
      at += part.size
    }
  },
})

/** What is not kept, only counted: for parts of objects larger than any memory. */
export const forgotten = (size: number): Stored => ({
  size,
  async *read(start, end) {
    const zeros = new Uint8Array(64 * 1024)
    for (let at = start; at < end; at += zeros.length) yield zeros.slice(0, Math.min(zeros.length, end - at))
  },
})

export const putObject = (
  bucket: Bucket,
  key: string,
  content: Uint8Array | Stored,
  more: Partial<S3Object> = {},
): S3Object => {
  const stored = content instanceof Uint8Array ? inMemory([content]) : content
  const etag = content instanceof Uint8Array ? createHash('md5').update(content).digest('hex') : randomUUID()
  const object = { settings: {}, ...stored, etag: `"${etag}"`, version: 'null', ...more }
  bucket.objects.set(key, object)
  return object
}
