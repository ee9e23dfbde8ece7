import type { Bytes, Open } from '../lib/bytes/bytes.ts'
import type { Descriptor } from './descriptor.ts'

/** A manifest or index as the registry stored it: `raw` is what the digest is over, never re-serialised. */
export interface RawManifest {
  readonly descriptor: Descriptor
  readonly raw: Uint8Array
}

/** Where content comes from. */
export interface Source {
  /** A tag or digest of this source to the exact bytes of its manifest. */
  resolve(reference: string): Promise<RawManifest>
  /** Content of `target` from byte `start` on; the caller verifies size and digest. */
  fetch(target: Descriptor, start?: number): Promise<Bytes>
  /** The bytes from `start` to `end`, where the source can send a part. @throws RangesRefused when it turns out not to */
  readonly fetchRange?: (target: Descriptor, start: number, end: number) => Bytes
}

/** Where content goes. */
export interface Target {
  exists(target: Descriptor): Promise<boolean>
  /** Stores the content. `open` may be called again for a retry. Nothing wrong is ever committed. */
  push(target: Descriptor, open: Open): Promise<void>
  tag(root: RawManifest, tag: string): Promise<void>
}
