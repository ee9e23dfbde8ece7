import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openArchive } from '../../src/archive/reader.ts'
import { scanArchive } from '../../src/archive/scan.ts'
import { encodeHeader, place } from '../../src/archive/tar.ts'
import { openFileWriter } from '../../src/archive/file-writer.ts'
import { openArchiveWriter } from '../../src/archive/writer.ts'
import { openFile } from '../../src/lib/bytes/file.ts'
import { digestOf } from '../../src/oci/digest.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'archive-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const files: Readonly<Record<string, string>> = {
  'bundle.json': 'the head',
  empty: '',
  'a/exact': 'x'.repeat(512),
  'blobs/sha256/one': 'one'.repeat(1000),
  last: 'z',
}
const entries = Object.entries(files).map(([path, text]) => ({ path, size: text.length }))
const content = (path: string): Uint8Array => new TextEncoder().encode(files[path] ?? '')
const head = new TextEncoder().encode(files['bundle.json'] ?? '')
const openWriter = async (path: string, ...plan: [typeof entries, Uint8Array]) =>
  openArchiveWriter(await openFileWriter(path), ...plan)
const out = () => join(folder, 'bundle.tar')

async function writeAll(order: readonly string[]): Promise<void> {
  const writer = await openWriter(out(), entries, head)
  for (const path of order) await writer.put(path, content(path))
  await writer.commit()
}

describe('openArchiveWriter', () => {
  it('gives the same bytes in any order, and GNU tar and bsdtar read them', async () => {
    await writeAll(entries.map(({ path }) => path))
    const first = readFileSync(out())
    await writeAll(entries.map(({ path }) => path).toReversed())
    expect(readFileSync(out()).equals(first)).toBe(true)
    const names = entries.map(({ path }) => path)
    for (const tar of ['tar', 'bsdtar']) {
      expect(execFileSync(tar, ['tf', out()]).toString().trim().split('\n')).toEqual(names)
    }
    expect(execFileSync('tar', ['xOf', out(), 'blobs/sha256/one']).toString()).toBe(files['blobs/sha256/one'])
    expect(existsSync(`${out()}.partial`)).toBe(false)
    expect(statSync(out()).size).toBe(place(entries).size)
  })

  it('refuses to finish while an entry is missing', async () => {
    const writer = await openWriter(out(), entries, head)
    await expect(writer.commit()).rejects.toThrow('never written')
    await writer.close()
    expect(existsSync(out())).toBe(false)
  })

  it('continues: what was left is not asked for again, once it was found right', async () => {
    const before = await openWriter(out(), entries, head)
    await before.put('blobs/sha256/one', content('blobs/sha256/one'))
    await before.close()
    const after = await openWriter(out(), entries, head)
    expect(after.has('blobs/sha256/one')).toBe(false)
    expect(after.claimed('blobs/sha256/one')).toBe(3000)
    await after.check('blobs/sha256/one', digestOf(content('blobs/sha256/one')))
    expect(entries.filter(({ path }) => after.has(path)).map(({ path }) => path)).toEqual([
      'bundle.json',
      'blobs/sha256/one',
    ])
    for (const { path } of entries) if (!after.has(path)) await after.put(path, content(path))
    await after.commit()
    const again = readFileSync(out())
    await writeAll(entries.map(({ path }) => path))
    expect(readFileSync(out()).equals(again)).toBe(true)
  })

  it('believes nothing that was left: what rotted since is not there', async () => {
    const before = await openWriter(out(), entries, head)
    await before.put('blobs/sha256/one', content('blobs/sha256/one'))
    await before.close()
    const bytes = readFileSync(`${out()}.partial`)
    const at = bytes.indexOf('oneone')
    bytes[at + 7] = (bytes[at + 7] ?? 0) ^ 1
    writeFileSync(`${out()}.partial`, bytes)
    const after = await openWriter(out(), entries, head)
    expect((await after.check('blobs/sha256/one', digestOf(content('blobs/sha256/one')))).size).toBe(0)
    expect(after.has('blobs/sha256/one')).toBe(false)
    expect(after.claimed('blobs/sha256/one')).toBe(0)
    await after.close()
  })

  it('starts over when the plan is another', async () => {
    const before = await openWriter(out(), entries, head)
    await before.put('blobs/sha256/one', content('blobs/sha256/one'))
    await before.close()
    const other = new TextEncoder().encode('THE HEAD')
    const after = await openWriter(out(), entries, other)
    expect(after.has('blobs/sha256/one')).toBe(false)
    await after.close()
  })

  it('does not follow a link at the partial name', async () => {
    const victim = join(folder, 'victim')
    writeFileSync(victim, 'precious')
    execFileSync('ln', ['-s', victim, `${out()}.partial`])
    await expect(openWriter(out(), entries, head)).rejects.toMatchObject({ kind: 'usage' })
    expect(readFileSync(victim, 'utf8')).toBe('precious')
  })

  it('says so when the folder does not exist, without the path of the machine', async () => {
    const error = await openWriter(join(folder, 'none', 'b.tar'), entries, head).catch(
      (caught: unknown) => caught,
    )
    expect(error).toMatchObject({ kind: 'usage', where: 'b.tar' })
    expect(String(error)).toContain('folder does not exist')
    expect(String(error)).not.toContain(folder)
  })
})

describe('encodeHeader', () => {
  it('holds sizes beyond 8 GiB in one block that GNU tar reads', () => {
    const path = join(folder, 'big.tar')
    writeFileSync(path, encodeHeader({ path: 'blobs/sha256/big', size: 10 * 1024 ** 3 }))
    execFileSync('truncate', ['-s', String(512 + 10 * 1024 ** 3 + 1024), path])
    expect(execFileSync('tar', ['tvf', path]).toString()).toContain('10737418240')
  })
})

describe('openArchive', () => {
  it('names a cut-off bundle', async () => {
    await writeAll(entries.map(({ path }) => path))
    execFileSync('truncate', ['-s', '-600', out()])
    const file = await openFile(out())
    expect(() => openArchive(file, entries)).toThrow('cut off')
    await file.close()
  })
})

describe('scanArchive', () => {
  it.each([
    ['a link', (name: string) => ['ln', '-s', '/etc/passwd', name]],
    ['a hard link', (name: string) => ['bash', '-c', `echo x > a; ln a ${name}`]],
    ['a pipe', (name: string) => ['mkfifo', name]],
  ])('refuses %s', async (_, make) => {
    const [command = '', ...args] = make('thing')
    execFileSync(command, args, { cwd: folder })
    execFileSync('tar', ['cf', out(), ...(existsSync(join(folder, 'a')) ? ['a'] : []), 'thing'], {
      cwd: folder,
    })
    const file = await openFile(out())
    await expect(scanArchive(file)).rejects.toThrow(/is of type/)
    await file.close()
  })

  it('refuses names that point outside, and doubled ones', async () => {
    const block = (path: string) => [encodeHeader({ path, size: 0 })]
    writeFileSync(out(), Buffer.concat([...block('../evil'), new Uint8Array(1024)]))
    const outside = await openFile(out())
    await expect(scanArchive(outside)).rejects.toThrow('points outside')
    await outside.close()
    writeFileSync(out(), Buffer.concat([...block('same'), ...block('same'), new Uint8Array(1024)]))
    const doubled = await openFile(out())
    await expect(scanArchive(doubled)).rejects.toThrow('appears twice')
    await doubled.close()
  })
})
