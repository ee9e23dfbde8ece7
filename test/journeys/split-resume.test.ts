import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli, startCli } from '../support/cli.ts'
import { noise } from '../support/images.ts'
import { startMetered, type MeteredSource } from '../support/metered-source.ts'
import { mountSmall } from '../support/mount.ts'
import { runProgram } from '../support/program.ts'
import { random } from '../support/random.ts'

const MIB = 1024 * 1024
const layers = [noise(70 * MIB, 1), ...Array.from({ length: 8 }, (_, at) => noise(MIB, 10 + at))]
const other = noise(5 * MIB, 50)
const total = layers.reduce((sum, { length }) => sum + length, 0)

let folder: string
let source: MeteredSource
let whole: Buffer
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'split-resume-'))
  source = await startMetered({ one: layers, two: [...layers, other] }, 100 * MIB)
  await writeFile(join(folder, 'spec.yaml'), `images: [${source.host}/big:one]\n`)
  expect(await runCli(exporting('whole.tar'), { cwd: folder })).toMatchObject({ code: 0 })
  whole = await readFile(join(folder, 'whole.tar'))
})
afterAll(async () => {
  await source.stop()
  await rm(folder, { recursive: true, force: true })
})

const exporting = (file: string, ...flags: readonly string[]): string[] => [
  'export',
  file,
  '--spec',
  'spec.yaml',
  '--platform',
  'linux/amd64',
  ...flags,
]
async function joined(of: string): Promise<Buffer> {
  const names = (await readdir(join(folder, of))).filter((name) => /\.\d{3,4}$/.test(name)).toSorted()
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(folder, of, name)))))
}
async function partials(of: string): Promise<readonly string[]> {
  return (await readdir(join(folder, of))).filter((name) => name.endsWith('.partial'))
}

describe('an export into volumes', () => {
  it('that is killed while it fetches, while it reads back and while it gives names, ends with the same bytes', async () => {
    await mkdir(join(folder, 'killed'))
    const args = exporting('killed/b.tar', '--split', '1MiB')
    const next = random('volumes')
    const before = source.sent()
    for (let kill = 0; kill < 3; kill += 1) {
      const until = source.sent() + Math.floor((0.1 + next() * 0.2) * total)
      const child = startCli(args, { cwd: folder })
      while (source.sent() < until && child.exitCode === null) await Bun.sleep(2)
      child.kill('SIGKILL')
      await child.exited
    }
    // From here on all is fetched: the kills fall into what comes behind.
    for (let kill = 0; kill < 8; kill += 1) {
      const child = startCli(args, { cwd: folder })
      for await (const chunk of child.stderr) {
        if (Buffer.from(chunk).includes('reading back')) break
      }
      await Bun.sleep(next() * 250)
      child.kill('SIGKILL')
      await child.exited
    }
    expect(await runCli(args, { cwd: folder })).toMatchObject({ code: 0 })
    expect((await joined('killed')).equals(whole)).toBe(true)
    expect(await partials('killed')).toEqual([])
    await runProgram('sha256sum', ['--quiet', '-c', 'b.tar.sha256'], { cwd: join(folder, 'killed') })
    // Three kills cost what was on its way, and nothing was fetched for the others.
    expect(source.sent() - before).toBeLessThan(total + 3 * 64 * MIB)
  })

  it('that is killed and asked for another tag moves what it has, into more volumes or fewer', async () => {
    await mkdir(join(folder, 'moved'))
    const args = exporting('moved/b.tar', '--split', '1MiB')
    const spec = (tag: string): Promise<void> =>
      writeFile(join(folder, 'spec.yaml'), `images: [${source.host}/big:${tag}]\n`)
    const killedNearEnd = async (): Promise<void> => {
      const child = startCli(args, { cwd: folder })
      for await (const chunk of child.stderr) {
        if (Buffer.from(chunk).includes('reading back')) break
      }
      child.kill('SIGKILL')
      await child.exited
    }
    await killedNearEnd()
    await spec('two')
    const before = source.sent()
    await killedNearEnd()
    expect(source.sent() - before).toBeLessThan(other.length + MIB)
    await spec('one')
    expect(await runCli(args, { cwd: folder })).toMatchObject({ code: 0 })
    expect(source.sent() - before).toBeLessThan(other.length + MIB)
    expect((await joined('moved')).equals(whole)).toBe(true)
    expect(await partials('moved')).toEqual([])
  })

  it('says that the disk is full, keeps what is there and goes on when there is room', async () => {
    const disk = join(folder, 'disk')
    await mkdir(disk)
    const mounted = await mountSmall(disk, whole.length + 4 * MIB)
    try {
      const args = exporting('disk/b.tar', '--split', '8MiB')
      const child = startCli(args, { cwd: folder })
      const from = source.sent()
      while (source.sent() - from < 30 * MIB && child.exitCode === null) await Bun.sleep(2)
      await writeFile(join(disk, 'ballast'), new Uint8Array(whole.length - 50 * MIB))
      const said = await new Response(child.stderr).text()
      expect(await child.exited).toBe(1)
      expect(said).toContain('the disk is full')
      expect(said).toMatch(/where: b\.tar\.\d{3}/)
      const full = await runCli(args, { cwd: folder })
      expect(full.code).toBe(1)
      expect(full.stderr).toMatch(/not enough room: 10 volumes need [\d.]+ MiB more/)
      await rm(join(disk, 'ballast'))
      const before = source.sent()
      expect(await runCli(args, { cwd: folder })).toMatchObject({ code: 0 })
      expect(source.sent() - before).toBeLessThan(total)
      expect((await joined('disk')).equals(whole)).toBe(true)
    } finally {
      await mounted.unmount()
    }
  })

  it('numbers more than 999 volumes in four digits, and reads them', async () => {
    await mkdir(join(folder, 'many'))
    const made = await runCli(exporting('many/b.tar', '--split', '64KiB'), { cwd: folder })
    expect(made).toMatchObject({ code: 0 })
    expect(made.stdout).toMatch(/In b\.tar\.0001 to \.1\d\d\d, at most 64\.0 KiB each/)
    expect((await joined('many')).equals(whole)).toBe(true)
    for (const name of ['b.tar', 'b.tar.1000', 'b.tar.volumes.json'])
      expect(await runCli(['verify', `many/${name}`], { cwd: folder })).toMatchObject({ code: 0 })
    await rm(join(folder, 'many', 'b.tar.volumes.json'))
    expect(await runCli(['inspect', 'many/b.tar.0500'], { cwd: folder })).toMatchObject({ code: 0 })
    await rm(join(folder, 'many', 'b.tar.0007'))
    const lacking = await runCli(['verify', 'many/b.tar'], { cwd: folder })
    expect(lacking.code).toBe(1)
    expect(lacking.stderr).toContain('b.tar.0007 is missing')
    // A thousand files are a thousand syncs, which take their time where a disk is shared.
  }, 300_000)

  it('helps where a file system takes no large files, and is named there', async () => {
    await mkdir(join(folder, 'limit'))
    // The limit of a process stands in for that of FAT32: the same error of the same calls.
    const limited = (...args: readonly string[]) => {
      const line = [process.execPath, join(import.meta.dirname, '..', '..', 'src', 'cli.ts'), ...args]
      return Bun.spawn(['bash', '-c', `trap '' XFSZ; ulimit -f 20480; exec "$@"`, 'bash', ...line], {
        cwd: folder,
        env: { PATH: process.env.PATH ?? '', HOME: folder },
        stdout: 'pipe',
        stderr: 'pipe',
      })
    }
    const refused = limited(...exporting('limit/b.tar'))
    expect(await new Response(refused.stderr).text()).toMatch(
      /the file system takes no files of that size\n  where: b\.tar\n  next:  write volumes that it takes: --split fat32/,
    )
    expect(await refused.exited).toBe(2)
    expect(await limited(...exporting('limit/b.tar', '--split', '20MiB')).exited).toBe(0)
    expect((await joined('limit')).equals(whole)).toBe(true)
  })
})
