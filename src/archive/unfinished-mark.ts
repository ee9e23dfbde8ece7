import { BLOCK, type Placed } from './tar.ts'

/**
 * What stands in the place of an entry's header until the entry is whole: how many bytes of its content are there.
 * No tar header looks like it. It is a hint only: whoever continues verifies the whole content.
 */
export function encodeLeft({ path, size }: Placed, bytes: number): Uint8Array {
  const block = Buffer.alloc(BLOCK)
  block.write(`${MARK}\n${path}\n${size}\n${bytes}\n`)
  return block
}

/** Bytes of the entry's content that are there; 0 for a block that says nothing of this entry. */
export function decodeLeft(block: Uint8Array, { path, size }: Placed): number {
  const [mark, name, whole, bytes = ''] = new TextDecoder().decode(block).split('\n')
  if (mark !== MARK || name !== path || whole !== String(size) || !/^\d{1,16}$/.test(bytes)) return 0
  return Math.min(Number(bytes), size)
}

// --- internal ---

const MARK = 'ma-bundle partial'
