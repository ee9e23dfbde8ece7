import { BLOCK, type PlacedEntry } from './tar.ts'

/** What an earlier run says it left of an entry: a beginning of its content. Nothing of it is believed unread. */
export interface Claim {
  /** Of the content, from its first byte on. */
  readonly bytes: number
  /** Their sha256 in hex. Missing where a header makes the claim, or an older version of this program. */
  readonly digest?: string
}

/**
 * What stands in the place of an entry's header until the entry is whole: how many bytes of its content are there, and
 * their sha256. There are two claims: what was written, which a kill leaves, and what was synced, which a loss of power
 * leaves. No tar header looks like it.
 */
export function encodeMark({ path, size }: PlacedEntry, claims: readonly Claim[]): Uint8Array {
  const block = Buffer.alloc(BLOCK)
  const most = Math.max(0, ...claims.map(({ bytes }) => bytes))
  const proven = claims.map(({ bytes, digest }) => (digest === undefined ? '' : `${bytes} ${digest}\n`))
  block.write(`${MARK}\n${path}\n${size}\n${most}\n${proven.join('')}`)
  return block
}

/** The claims of a mark, the shortest first; none for a block that says nothing of this entry. */
export function decodeMark(block: Uint8Array, { path, size }: PlacedEntry): readonly Claim[] {
  const [mark, name, whole, most = '', ...lines] = new TextDecoder().decode(block).split('\n')
  if (mark !== MARK || name !== path || whole !== String(size) || !/^\d{1,16}$/.test(most)) return []
  const proven = lines.flatMap((line): Claim[] => {
    const [, bytes, digest] = /^(\d{1,16}) ([0-9a-f]{64})$/.exec(line) ?? []
    return bytes === undefined || digest === undefined ? [] : [{ bytes: Number(bytes), digest }]
  })
  const claims = proven.length > 0 ? proven : [{ bytes: Math.min(Number(most), size) }]
  return claims.filter(({ bytes }) => bytes > 0 && bytes <= size).toSorted((a, b) => a.bytes - b.bytes)
}

// --- internal ---

const MARK = 'ma-bundle partial'
