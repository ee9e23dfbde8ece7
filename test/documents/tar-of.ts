import { Header } from 'tar'

/** A tar of entries of these sizes, in pieces of a MiB, so that nothing large is held. */
export function* tarOf(entries: readonly (readonly [path: string, size: number])[]): Generator<Uint8Array> {
  for (const [path, size] of entries) {
    const block = Buffer.alloc(512)
    new Header({ path, size, mode: 0o755, type: 'File', mtime: new Date(0) }).encode(block, 0)
    yield block
    const padded = Math.ceil(size / 512) * 512
    for (let at = 0; at < padded; at += MiB) yield new Uint8Array(Math.min(MiB, padded - at))
  }
  yield new Uint8Array(1024)
}

// --- internal ---

const MiB = 1024 ** 2
