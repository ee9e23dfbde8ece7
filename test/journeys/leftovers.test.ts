import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { scanArchive } from '../../src/archive/scan.ts'
import { encodeHeader, type PlacedEntry } from '../../src/archive/tar.ts'
import { openFile } from '../../src/lib/bytes/file.ts'
import { runCli, startCli } from '../support/cli.ts'
import { noise } from '../support/images.ts'
import { startMetered, type MeteredSource } from '../support/metered-source.ts'
import { runShell } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

/** What lies at the name of an unfinished file before a run begins: planted there, or rotten since it was written. */

const MIB = 1024 * 1024
let folder: string
let small: SmallBundle
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  small = await makeSmallBundle()
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'leftovers-'))
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
  execFileSync('openssl', ['pkey', '-in', at('key.pem'), '-pubout', '-out', at('pub.pem')])
  return () => rmSync(folder, { recursive: true })
})
afterAll(() => small.remove())

async function entriesIn(file: string): Promise<readonly PlacedEntry[]> {
  const reader = await openFile(file)
  try {
    return [...(await scanArchive(reader)).entries.values()]
  } finally {
    await reader.close()
  }
}

/** The content of all entries but the first few is somebody else's, behind headers that are right. */
async function forged(file: string, spare: readonly string[] = []): Promise<Buffer> {
  const bytes = readFileSync(file)
  for (const { path, dataAt, size } of await entriesIn(file)) {
    if (!spare.includes(path)) bytes.fill(0x45, dataAt, dataAt + size)
  }
  return bytes
}

describe('a planted leftover', () => {
  it.each<[string, readonly string[]]>([
    ['all of it', []],
    ['all but the table', ['bundle.json']],
    ['all but the table and its digests', ['bundle.json', 'SHA256SUMS']],
  ])('of an export is written anew, and the signature is of what was planned: %s', async (_, spare) => {
    writeFileSync(at('b.tar.partial'), await forged(small.file, spare))
    const run = await runShell(['export', at('b.tar'), '--spec', small.spec, '--sign', at('key.pem')])
    expect(run.code, run.stderr).toBe(0)
    expect(Buffer.compare(readFileSync(at('b.tar')), small.bytes)).toBe(0)
    const verified = await runShell(['verify', at('b.tar'), '--verify-key', at('pub.pem')])
    expect(verified.code, verified.stderr).toBe(0)
    expect(run.stderr).toMatch(/that an earlier run left are wrong, and are fetched again/)
  })

  it('of an export, with digests of its own, is signed by nobody', async () => {
    const bytes = await forged(small.file, ['bundle.json'])
    const entries = await entriesIn(small.file)
    const sums = entries.find(({ path }) => path === 'SHA256SUMS')
    const text = entries
      .filter(({ path }) => path !== 'SHA256SUMS')
      .map(({ path, dataAt, size }) => {
        const hash = new Bun.CryptoHasher('sha256')
          .update(bytes.subarray(dataAt, dataAt + size))
          .digest('hex')
        return `${hash}  ${path}\n`
      })
    bytes.write(text.join(''), sums?.dataAt ?? 0)
    writeFileSync(at('b.tar.partial'), bytes)
    const run = await runShell(['export', at('b.tar'), '--spec', small.spec, '--sign', at('key.pem')])
    expect(run.code, run.stderr).toBe(0)
    expect(Buffer.compare(readFileSync(at('b.tar')), small.bytes)).toBe(0)
    expect((await runShell(['verify', at('b.tar'), '--verify-key', at('pub.pem')])).code).toBe(0)
  })

  it('of volumes is written anew', async () => {
    const split = ['--split', '65536', '--sign', at('key.pem')]
    const exporting = (name: string) => runShell(['export', at(name), '--spec', small.spec, ...split])
    expect((await exporting('v.tar')).code).toBe(0)
    const right = readFileSync(at('v.tar.001'))
    mkdirSync(at('planted'))
    writeFileSync(
      at('planted/v.tar.001.partial'),
      await forged(at('v.tar.001'), ['bundle.json', 'SHA256SUMS']),
    )
    const { code, stderr } = await exporting('planted/v.tar')
    expect(code, stderr).toBe(0)
    expect(Buffer.compare(readFileSync(at('planted/v.tar.001')), right)).toBe(0)
  })

  it.each(['oci-archive', 'docker-archive'])('of extract --format %s is written anew', async (format) => {
    copyFileSync(small.file, at('b.tar'))
    expect((await runShell(['sign', at('b.tar'), '--key', at('key.pem')])).code).toBe(0)
    const extract = (to: string) =>
      runShell([
        'extract',
        at('b.tar'),
        'two',
        '--format',
        format,
        '--verify-key',
        at('pub.pem'),
        '--output',
        at(to),
      ])
    expect((await extract('x')).code).toBe(0)
    const [name = ''] = readdirSync(at('x')).filter((file) => file.endsWith('.tar'))
    mkdirSync(at('y'))
    writeFileSync(at(`y/${name}.partial`), await forged(at(`x/${name}`), ['manifest.json', 'index.json']))
    const { code, stderr } = await extract('y')
    expect(code, stderr).toBe(0)
    expect(Buffer.compare(readFileSync(at(`y/${name}`)), readFileSync(at(`x/${name}`)))).toBe(0)
  })

  it('of merge is written anew', async () => {
    copyFileSync(small.file, at('b.tar'))
    const merging = ['merge', at('b.tar'), small.file, '--output', at('m.tar')]
    expect((await runShell(merging)).code).toBe(0)
    const right = readFileSync(at('m.tar'))
    writeFileSync(at('m.tar.partial'), await forged(at('m.tar'), ['bundle.json', 'SHA256SUMS']))
    rmSync(at('m.tar'))
    const { code, stderr } = await runShell(merging)
    expect(code, stderr).toBe(0)
    expect(Buffer.compare(readFileSync(at('m.tar')), right)).toBe(0)
  })
})

describe('an export that was killed', () => {
  // Some 30 MiB of layers that all come at once: none is complete when the first have come half-way.
  const layers = Array.from({ length: 10 }, (_, one) => noise(3 * MIB, 70 + one))
  const total = layers.reduce((sum, { length }) => sum + length, 0)
  let source: MeteredSource
  beforeAll(async () => {
    source = await startMetered({ one: layers }, 30 * MIB)
  })
  afterAll(() => source.stop())
  const exporting = ['export', 'k.tar', '--spec', 'k.yaml', '--platform', 'linux/amd64']

  /** Killed when so many bytes were sent; the bytes that the next run asks for. */
  async function killedAfter(bytes: number): Promise<number> {
    const before = source.sent()
    const child = startCli(exporting, { cwd: folder })
    while (source.sent() - before < bytes && child.exitCode === null) await Bun.sleep(2)
    child.kill('SIGKILL')
    await child.exited
    return source.sent()
  }

  it('continues, however small it is and however early that was, and asks for nothing twice', async () => {
    writeFileSync(at('k.yaml'), `images: [${source.host}/small:one]\n`)
    for (const bytes of [6 * MIB, 12 * MIB]) {
      const sent = await killedAfter(bytes)
      const marks = readFileSync(at('k.tar.partial'))
        .toString('latin1')
        .match(/ma-bundle partial\n/g)
      expect(marks).not.toBeNull()
      const again = await runCli(exporting, { cwd: folder })
      expect(again.code, again.stderr).toBe(0)
      // What was in sockets, and at most a MiB of each that was on its way.
      expect(source.sent() - sent).toBeLessThanOrEqual(total - bytes + layers.length * MIB + 2 * MIB)
      expect(again.stderr).toContain('reading back')
      expect((await runCli(['verify', 'k.tar'], { cwd: folder })).code).toBe(0)
      rmSync(at('k.tar'))
    }
  })

  it('fetches what has rotted since, and nothing else', async () => {
    writeFileSync(at('k.yaml'), `images: [${source.host}/small:one]\n`)
    await killedAfter(total)
    const partial = existsSync(at('k.tar.partial')) ? at('k.tar.partial') : at('k.tar')
    const bytes = readFileSync(partial)
    const [rotten = new Uint8Array()] = layers
    const place = bytes.indexOf(rotten.subarray(0, 64))
    expect(place).toBeGreaterThan(0)
    bytes[place + 1000] = (bytes[place + 1000] ?? 0) ^ 4
    rmSync(partial)
    writeFileSync(at('k.tar.partial'), bytes)
    const before = source.blobs.length
    const again = await runCli([...exporting, '--sign', 'key.pem'], { cwd: folder })
    expect(again.code, again.stderr).toBe(0)
    const digest = `sha256:${new Bun.CryptoHasher('sha256').update(rotten).digest('hex')}`
    const asked = source.blobs.slice(before)
    expect(asked.filter(({ start }) => start === 0).map((one) => one.digest)).toContain(digest)
    expect(asked.reduce((sum, { sent }) => sum + sent, 0)).toBeLessThan(total / 2)
    expect((await runCli(['verify', 'k.tar', '--verify-key', 'pub.pem'], { cwd: folder })).code).toBe(0)
  })
})

it('what an older version left, with marks that hold no digest, is continued', async () => {
  const bytes = Buffer.from(small.bytes)
  const layers = (await entriesIn(small.file)).filter(({ path }) => path.startsWith('blobs/'))
  const [one, other, ...whole] = layers.toSorted((a, b) => b.size - a.size)
  if (one === undefined || other === undefined) throw new Error('the bundle has no layers')
  // Of one the beginning is right; of the other it is not.
  const half = Math.floor(one.size / 2)
  const mark = (entry: PlacedEntry, left: number): void => {
    bytes.fill(0, entry.headerAt, entry.headerAt + encodeHeader(entry).length)
    bytes.write(`ma-bundle partial\n${entry.path}\n${entry.size}\n${left}\n`, entry.headerAt)
    bytes.fill(0x45, entry.dataAt + left, entry.dataAt + entry.size)
  }
  mark(one, half)
  mark(other, other.size - 1)
  bytes[other.dataAt] = (bytes[other.dataAt] ?? 0) ^ 1
  writeFileSync(at('old.tar.partial'), bytes)
  const before = small.source.requests.length
  const { code, stderr } = await runShell(['export', at('old.tar'), '--spec', small.spec])
  expect(code, stderr).toBe(0)
  expect(Buffer.compare(readFileSync(at('old.tar')), small.bytes)).toBe(0)
  const asked = small.source.requests.slice(before).map((request) => JSON.stringify(request))
  // Configs are read to know the platforms.
  for (const { path } of whole.filter(({ size }) => size > 600)) {
    expect(asked.filter((request) => request.includes(`/blobs/sha256:${path.slice(-64)}`))).toEqual([])
  }
})

describe('two runs at once', () => {
  it('the second says who writes the bundle; once the first is dead, the way is free', async () => {
    const slow = await startMetered({ one: [noise(64 * MIB, 5)] }, MIB)
    try {
      writeFileSync(at('s.yaml'), `images: [${slow.host}/slow:one]\n`)
      const exporting = (...more: readonly string[]) => [
        'export',
        's.tar',
        '--spec',
        's.yaml',
        '--platform',
        'linux/amd64',
        ...more,
      ]
      const first = startCli(exporting(), { cwd: folder })
      while (slow.sent() < MIB) await Bun.sleep(5)
      for (const more of [[], ['--split', '1MiB'], ['--sign', 'key.pem']]) {
        const second = await runCli(exporting(...more), { cwd: folder })
        expect(second.stderr).toContain(`another run is writing it: process ${first.pid}`)
        expect(second.stderr).toContain('wait until it has ended or stop it')
        expect(second.code).toBe(1)
      }
      first.kill('SIGKILL')
      await first.exited
      const third = startCli(exporting(), { cwd: folder })
      const before = slow.blobs.length
      while (slow.blobs.length === before) await Bun.sleep(5)
      third.kill('SIGKILL')
      await third.exited
    } finally {
      await slow.stop()
    }
  })
})
