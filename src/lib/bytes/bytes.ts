/** Content as it arrives, in pieces of any length. A `ReadableStream<Uint8Array>` is one too. */
export type Bytes = AsyncIterable<Uint8Array>

/** Opens content again from byte `start`: a retry re-opens, a resume opens further in. */
export type Open = (start?: number) => Promise<Bytes>

/** Something that can be read at any offset: a file, volumes, an object in S3. */
export interface RandomReader {
  /** Bytes. */
  readonly size: number
  /** Exactly `length` bytes from `start`, or an error. */
  read(start: number, length: number): Bytes
  close(): Promise<void>
  /** The files it is made of, in order, when there are several. */
  readonly parts?: readonly FilePart[]
}

/** One of the files that a reader is made of. */
export interface FilePart {
  /** Without folders. */
  readonly name: string
  /** Where it begins in the whole, bytes. */
  readonly offset: number
  readonly size: number
  /** Where it lies; undefined when it was not found. Never for messages. */
  readonly path?: string
  /** Why nothing of it can be read, as the end of a sentence: `is missing`. */
  readonly fault?: string
  /** `sha256:…` of all of it, where that is listed. */
  readonly digest?: string
}

/** Everything in memory. Only for content whose size is known to be small. */
export async function collect(bytes: Bytes): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of bytes) {
    chunks.push(chunk)
    size += chunk.length
  }
  const only = chunks[0]
  if (chunks.length === 1 && only !== undefined) return only
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

/** Content that is already in memory. */
export async function* bytesOf(content: Uint8Array, start = 0): Bytes {
  if (start < content.length) yield content.subarray(start)
}
