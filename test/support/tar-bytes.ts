import { Header } from 'tar'

/** One tar entry as bytes, honest or not. */
export interface RawEntry {
  readonly path: string
  readonly content?: Uint8Array | string
  /** One character of the type flag: `0` file, `2` symbolic link, `x` pax, `L` GNU long name. */
  readonly type?: string
  /** What the header says, whatever the content is; a text is written into the field as it is. */
  readonly size?: number | string
  readonly link?: string
}

/** Header, content and padding. */
export function tarEntry({ path, content = '', type = '0', size, link }: RawEntry): Uint8Array {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content
  const block = Buffer.alloc(512)
  const said = typeof size === 'number' ? size : bytes.length
  new Header({ path: path.slice(0, 99), size: said, mode: 0o644, type: 'File', mtime: new Date(0) }).encode(
    block,
    0,
  )
  // The library would tidy these up.
  if (path.length <= 100) block.fill(0, 0, 100).write(path, 0)
  block.write(type, 156, 'latin1')
  if (link !== undefined) block.write(link, 157)
  if (typeof size === 'string') block.fill(0, 124, 136).write(size, 124, 'latin1')
  return Buffer.concat([withChecksum(block), bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)])
}

export const END = new Uint8Array(1024)

export const tarOf = (...entries: readonly RawEntry[]): Uint8Array =>
  Buffer.concat([...entries.map(tarEntry), END])

/** Records of a pax extension. */
export function paxRecords(records: Readonly<Record<string, string>>): string {
  return Object.entries(records)
    .map(([key, value]) => {
      const rest = Buffer.byteLength(` ${key}=${value}\n`)
      let length = rest + 1
      while (String(length).length + rest !== length) length = String(length).length + rest
      return `${length} ${key}=${value}\n`
    })
    .join('')
}

/** The sum of all bytes, those of the sum itself counted as spaces. */
export function withChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}
