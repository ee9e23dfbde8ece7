import { execFileSync } from 'node:child_process'
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openCache, type Cache, type CacheOptions } from '../../../src/lib/bytes/cache.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ma-bundle-cache-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const folder = (): string => join(root, 'cache')
const keyFile = (): string => join(root, 'state', 'key')

async function open(options: Partial<CacheOptions> = {}): Promise<Cache> {
  const cache = await openCache({ folder: folder(), keyFile: keyFile(), maker: '1', ...options })
  if (cache === undefined) throw new Error('there is no cache')
  return cache
}

async function onlyEntry(): Promise<string> {
  const names = await readdir(folder())
  expect(names).toHaveLength(1)
  return join(folder(), names[0] ?? '')
}

describe('a cache', () => {
  it('gives back in the next run what was put there', async () => {
    await (await open()).put('a', { list: [1, 'two', null] })
    const next = await open()
    expect(await next.get('a')).toEqual({ list: [1, 'two', null] })
    expect(await next.get('b')).toBeUndefined()
    expect((await stat(await onlyEntry())).mode & 0o777).toBe(0o600)
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600)
  })

  it('does not see what another version of the program put there', async () => {
    await (await open()).put('a', 1)
    expect(await (await open({ maker: '2' })).get('a')).toBeUndefined()
  })

  it.each([
    ['one bit is wrong', (raw: Buffer) => Buffer.concat([raw.subarray(0, -2), Buffer.from('9}')])],
    ['the end is missing', (raw: Buffer) => raw.subarray(0, -1)],
    ['it is empty', () => Buffer.alloc(0)],
    ['it is shorter than a seal', () => Buffer.from('{}')],
    ['it has another seal', (raw: Buffer) => Buffer.concat([Buffer.alloc(32), raw.subarray(32)])],
  ])('has no entry where %s', async (_, spoil) => {
    const cache = await open()
    await cache.put('a', { size: 1 })
    const entry = await onlyEntry()
    await writeFile(entry, spoil(await readFile(entry)))
    expect(await cache.get('a')).toBeUndefined()
    await cache.put('a', { size: 2 })
    expect(await cache.get('a')).toEqual({ size: 2 })
  })

  it('does not believe an entry that was moved to another name, or came from another machine', async () => {
    const cache = await open()
    await cache.put('a', 1)
    const entry = await onlyEntry()
    const raw = await readFile(entry)
    await cache.put('b', 2)
    const other = (await readdir(folder())).map((name) => join(folder(), name)).find((path) => path !== entry)
    await writeFile(other ?? '', raw)
    expect(await cache.get('b')).toBeUndefined()
    await rm(keyFile())
    expect(await (await open()).get('a')).toBeUndefined()
  })

  it('does not use a key that others can read', async () => {
    await (await open()).put('a', 1)
    await chmod(keyFile(), 0o644)
    expect(await openCache({ folder: folder(), keyFile: keyFile(), maker: '1' })).toBeUndefined()
  })

  it('does not wait for a pipe, nor read a folder or follow a link', async () => {
    const cache = await open()
    await cache.put('a', 1)
    const entry = await onlyEntry()
    const raw = await readFile(entry)
    await rm(entry)
    execFileSync('mkfifo', [entry])
    expect(await cache.get('a')).toBeUndefined()
    await rm(entry)
    await mkdir(entry)
    expect(await cache.get('a')).toBeUndefined()
    await rm(entry, { recursive: true })
    await writeFile(join(root, 'elsewhere'), raw)
    await symlink(join(root, 'elsewhere'), entry)
    expect(await cache.get('a')).toBeUndefined()
    await cache.put('a', 2)
    expect(await readFile(join(root, 'elsewhere'))).toEqual(raw)
    expect(await cache.get('a')).toBe(2)
  })

  it('is no cache, and no error, where nothing can be written', async () => {
    await writeFile(join(root, 'cache'), 'a file in its place')
    const cache = await open()
    await cache.put('a', 1)
    expect(await cache.get('a')).toBeUndefined()
    await writeFile(join(root, 'file'), '')
    expect(
      await openCache({ folder: folder(), keyFile: join(root, 'file', 'key'), maker: '1' }),
    ).toBeUndefined()
  })

  it('serves processes that write the same entries at the same time', async () => {
    const caches = await Promise.all(Array.from({ length: 8 }, () => open()))
    await Promise.all(caches.map((cache, at) => cache.put('a', at)))
    expect(await (await open()).get('a')).toBeTypeOf('number')
    expect(await readdir(folder())).toHaveLength(1)
  })

  it('lets go of what was not used for longest, and of what was left half written, but of nothing else', async () => {
    const first = await open()
    for (const name of ['a', 'b', 'c']) await first.put(name, 'x'.repeat(1000))
    const names = await readdir(folder())
    const longAgo = new Date(Date.now() - 24 * 60 * 60 * 1000)
    for (const name of names) await utimes(join(folder(), name), longAgo, longAgo)
    expect(await first.get('b')).toBeDefined()
    const half = join(folder(), `${'0'.repeat(64)}.${'0'.repeat(16)}.partial`)
    await writeFile(half, '')
    await utimes(half, longAgo, longAgo)
    await writeFile(join(folder(), 'notes.txt'), '')
    const next = await open({ limit: 1500 })
    await next.put('d', 1)
    expect(await next.get('b')).toBeDefined()
    expect(await next.get('d')).toBe(1)
    expect((await readdir(folder())).filter((name) => name.endsWith('.partial'))).toEqual([])
    expect((await readdir(folder())).toSorted()).toHaveLength(3)
    expect(await readdir(folder())).toContain('notes.txt')
  })
})
