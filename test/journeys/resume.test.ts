import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { runCli, startCli } from '../support/cli.ts'
import { noise } from '../support/images.ts'
import { startMetered, type MeteredSource } from '../support/metered-source.ts'
import { mountSmall } from '../support/mount.ts'
import { random } from '../support/random.ts'

const MIB = 1024 * 1024
/** What may be in sockets, on its way to the disk, and waiting for its turn in memory when a process dies. */
const ON_ITS_WAY = (24 + 24) * MIB
const AGAIN = MIB + ON_ITS_WAY

const big = noise(200 * MIB, 1)
const middle = noise(40 * MIB, 2)
const small = Array.from({ length: 12 }, (_, at) => noise(256 * 1024, 10 + at))
const layers = [big, middle, ...small]
const [bigDigest, middleDigest] = [digestOf(big), digestOf(middle)]
const other = noise(3 * MIB, 50)
const total = layers.reduce((sum, { length }) => sum + length, 0)

let folder: string
let source: MeteredSource
let whole: Buffer

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resume-'))
  source = await startMetered({ one: layers, two: [...layers, other] }, 150 * MIB)
  await spec('one')
  const outcome = await runCli(exporting('whole.tar'), { cwd: folder })
  expect(outcome).toMatchObject({ code: 0 })
  whole = await readFile(join(folder, 'whole.tar'))
})
afterAll(async () => {
  await source.stop()
  await rm(folder, { recursive: true, force: true })
})

const spec = (tag: string): Promise<void> =>
  writeFile(join(folder, 'spec.yaml'), `images: [${source.host}/big:${tag}]\n`)
const exporting = (file: string): string[] => [
  'export',
  file,
  '--spec',
  'spec.yaml',
  '--platform',
  'linux/amd64',
]
const equal = async (file: string): Promise<boolean> => whole.equals(await readFile(join(folder, file)))

/** Kills an export once so many bytes have been sent, and waits until it is gone. */
async function killedAfter(bytes: number, file: string): Promise<void> {
  const until = source.sent() + bytes
  const child = startCli(exporting(file), { cwd: folder })
  while (source.sent() < until && child.exitCode === null) await Bun.sleep(2)
  child.kill('SIGKILL')
  await child.exited
}

describe('an export that is killed', () => {
  it('goes on inside its layers, fetches no finished one again, and ends with the same bytes', async () => {
    const next = random('kills')
    const from = source.blobs.length
    const delivered = new Map<string, number>()
    for (let kill = 0; kill < 4; kill += 1) {
      const before = source.blobs.length
      await killedAfter((40 + Math.floor(next() * 15)) * MIB, 'killed.tar')
      for (const { digest, start, sent } of source.blobs.slice(before)) {
        const had = delivered.get(digest) ?? 0
        expect(had - start, `${digest} in run ${kill}`).toBeLessThanOrEqual(AGAIN)
        delivered.set(digest, Math.max(had, start + sent))
      }
    }
    const outcome = await runCli(exporting('killed.tar'), { cwd: folder })
    expect(outcome).toMatchObject({ code: 0 })
    expect(await equal('killed.tar')).toBe(true)
    const asked = source.blobs.slice(from)
    for (const { digest, start } of asked) {
      if (start > 0) expect([bigDigest, middleDigest]).toContain(digest)
    }
    expect(asked.filter(({ digest, start }) => digest === bigDigest && start > 60 * MIB)).not.toEqual([])
  })

  it('with another tag fetches only what is new', async () => {
    await killedAfter(total, 'other.tar')
    expect(await stat(join(folder, 'other.tar.partial')).catch(() => undefined)).toBeDefined()
    await spec('two')
    const before = source.sent()
    const outcome = await runCli(exporting('other.tar'), { cwd: folder })
    await spec('one')
    expect(outcome).toMatchObject({ code: 0 })
    expect(source.sent() - before).toBeLessThan(other.length + AGAIN)
    expect(await runCli(['verify', 'other.tar'], { cwd: folder })).toMatchObject({ code: 0 })
  })
})

describe('a disk that fills up half-way', () => {
  it('is told about, and what was fetched is kept for the next run', async () => {
    const disk = join(folder, 'disk')
    await Bun.write(join(disk, '.keep'), '')
    const mounted = await mountSmall(disk, whole.length + 4 * MIB)
    try {
      const from = source.sent()
      const child = startCli(exporting('disk/full.tar'), { cwd: folder })
      while (source.sent() - from < 90 * MIB && child.exitCode === null) await Bun.sleep(2)
      const ballast = whole.length - 130 * MIB
      await writeFile(join(disk, 'ballast'), new Uint8Array(ballast))
      const said = await new Response(child.stderr).text()
      expect(await child.exited).toBe(1)
      expect(said).toContain('the disk is full')
      expect(said).toContain('it continues where it stopped')
      const full = await runCli(exporting('disk/full.tar'), { cwd: folder })
      expect(full.code).toBe(1)
      expect(full.stderr).toMatch(/not enough room: the bundle needs [\d.]+ MiB more, [\d.]+ (Mi)?B are free/)
      await rm(join(disk, 'ballast'))
      const before = source.sent()
      expect(await runCli(exporting('disk/full.tar'), { cwd: folder })).toMatchObject({ code: 0 })
      expect(source.sent() - before).toBeLessThan(total - 90 * MIB + AGAIN)
      expect(await equal('disk/full.tar')).toBe(true)
    } finally {
      await mounted.unmount()
    }
  })
})
