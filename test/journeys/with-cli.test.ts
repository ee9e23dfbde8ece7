import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { digestOf } from '../../src/oci/digest.ts'
import { fakeProgram } from '../support/elf.ts'
import { runProgram } from '../support/program.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

const { version } = manifest
let small: SmallBundle
let folder: string
let dist: string
const amd64 = fakeProgram({ version, platform: 'linux/amd64' })
const arm64 = fakeProgram({ version, platform: 'linux/arm64' }, 900_001)

beforeAll(async () => {
  small = await makeSmallBundle()
  folder = mkdtempSync(join(tmpdir(), 'with-cli-'))
  dist = mkdtempSync(join(folder, 'dist-'))
  // One of another machine first, and a file that is no program: neither may be taken.
  writeFileSync(join(dist, 'ma-bundle-a-note.txt'), 'read me')
  writeFileSync(join(dist, 'ma-bundle-linux-amd64'), amd64)
  writeFileSync(join(dist, 'ma-bundle-linux-arm64'), arm64)
}, 60_000)
afterAll(async () => {
  await small.remove()
  rmSync(folder, { recursive: true, force: true })
})

const at = (name: string): string => join(folder, name)
const exported = (name: string, ...flags: readonly string[]) =>
  runShell(['export', at(name), '--spec', small.spec, ...flags])
const resultOf = ({ json }: Outcome) => json.at(-1)?.['result'] as Record<string, unknown>
const entry = async (bundle: string, name: string): Promise<Uint8Array> =>
  (await runProgram('tar', ['xOf', at(bundle), name])).stdout

describe('export --with-cli', () => {
  it('puts the program into the bundle for linux/amd64, and says how to start it there', async () => {
    const { code, stdout } = await exported('one.tar', '--with-cli', '--cli-from', dist)
    expect(code).toBe(0)
    expect(stdout).toContain('Carries ma-bundle for linux/amd64 along, as ma-bundle (1.64 MiB).')
    expect(stdout).toContain(
      `tar xf one.tar ma-bundle && echo '${digestOf(amd64).slice(7)}  ma-bundle' | sha256sum -c && ./ma-bundle import one.tar --registry <host>`,
    )
    expect(Buffer.compare(await entry('one.tar', 'ma-bundle'), amd64)).toBe(0)
  })

  it.each([[['--with-cli', 'amd64,arm64']], [['--with-cli=arm64,amd64']]])(
    'takes machines as %s, and the order does not show',
    async (flags) => {
      const both = await exported('both.tar', ...flags, '--cli-from', dist, '--json')
      expect(both.code).toBe(0)
      expect(resultOf(both)).toMatchObject({
        programs: [
          {
            path: 'ma-bundle',
            platform: 'linux/amd64',
            version,
            digest: digestOf(amd64),
            size: amd64.length,
          },
          { path: 'ma-bundle-arm64', platform: 'linux/arm64', digest: digestOf(arm64), size: arm64.length },
        ],
      })
      expect(Buffer.compare(await entry('both.tar', 'ma-bundle-arm64'), arm64)).toBe(0)
      const before = readFileSync(at('both.tar'))
      await exported('again.tar', '--with-cli=arm64,amd64', '--cli-from', dist)
      expect(Buffer.compare(readFileSync(at('again.tar')), before)).toBe(0)
    },
  )

  it('leaves a bundle without it as it was, to the byte', async () => {
    const { code } = await exported('plain.tar')
    expect(code).toBe(0)
    expect(Buffer.compare(readFileSync(at('plain.tar')), small.bytes)).toBe(0)
  })

  it('counts nothing of it as fetched', async () => {
    const counted = await exported('counted.tar', '--with-cli', '--cli-from', dist, '--json')
    const plain = await exported('plain-counted.tar', '--json')
    expect(resultOf(counted)['fetched']).toBe(resultOf(plain)['fetched'])
    expect(Number(resultOf(counted)['size'])).toBeGreaterThan(amd64.length)
  })

  it('is known to tar, sha256sum, verify and inspect', async () => {
    await exported('known.tar', '--with-cli=amd64,arm64', '--cli-from', dist)
    const { stdout: listing } = await runProgram('tar', [
      'tvf',
      at('known.tar'),
      'ma-bundle',
      'ma-bundle-arm64',
    ])
    expect(listing.toString().match(/^-rwxr-xr-x 0\/0/gm)).toHaveLength(2)
    const out = mkdtempSync(join(folder, 'out-'))
    await runProgram('tar', ['xf', at('known.tar')], { cwd: out })
    await runProgram('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: out })
    const verified = await runShell(['verify', at('known.tar')])
    expect(verified).toMatchObject({ code: 0 })
    const inspected = await runShell(['inspect', at('known.tar')])
    expect(inspected.stdout).toContain(
      `Carries ma-bundle ${version} for linux/arm64 along, as ma-bundle-arm64`,
    )
  })

  it('is taken out of volumes with cat and tar, as the export says', async () => {
    const { code, stdout } = await exported('parts.tar', '--with-cli', '--cli-from', dist, '--split', '1MiB')
    expect(code).toBe(0)
    const command = /as ma-bundle \(.*\): (cat .*)\.$/m.exec(stdout)?.[1] ?? 'false'
    expect(command).toBe('cat parts.tar.[0-9]* | tar xf - ma-bundle')
    await runProgram('sh', ['-c', command], { cwd: folder })
    expect(Buffer.compare(readFileSync(at('ma-bundle')), amd64)).toBe(0)
  })

  it('is found damaged like anything else', async () => {
    await exported('damaged.tar', '--with-cli', '--cli-from', dist)
    const bytes = readFileSync(at('damaged.tar'))
    const place = bytes.indexOf(Buffer.from(amd64.subarray(600_000, 600_064)))
    bytes[place] = (bytes[place] ?? 0) ^ 1
    writeFileSync(at('damaged.tar'), bytes)
    const { code, stdout, stderr } = await runShell(['verify', at('damaged.tar')])
    expect(code).toBe(5)
    expect(stdout + stderr).toMatch(/ma-bundle .*sha256:/)
  })

  it('finds a header damaged whose entry has another mode', async () => {
    await exported('mode.tar', '--with-cli', '--cli-from', dist)
    const bytes = readFileSync(at('mode.tar'))
    const header = bytes.indexOf(Buffer.from('ma-bundle\0'))
    expect(bytes.subarray(header + 100, header + 107).toString()).toBe('000755 ')
    bytes.write('000644 ', header + 100)
    bytes.fill(0x20, header + 148, header + 156)
    const sum = bytes.subarray(header, header + 512).reduce((total, byte) => total + byte, 0)
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, header + 148)
    writeFileSync(at('mode.tar'), bytes)
    expect((await runShell(['verify', at('mode.tar')])).code).toBe(5)
  })
})

describe('export --with-cli refuses', () => {
  const refused = async (...flags: readonly string[]): Promise<string> => {
    const { code, stderr } = await exported('refused.tar', ...flags)
    expect(code).toBe(2)
    return stderr
  }

  it('a machine it is not built for', async () => {
    expect(await refused('--with-cli=riscv64')).toContain(
      '"riscv64" is no machine that ma-bundle is built for',
    )
  })

  it('a place that is not there, or has none for this machine', async () => {
    expect(await refused('--with-cli', '--cli-from', at('nowhere'))).toContain('no such file or folder')
    const text = await refused('--with-cli=arm64', '--cli-from', join(dist, 'ma-bundle-linux-amd64'))
    expect(text).toContain(`there is no ma-bundle ${version} for linux/arm64 at --cli-from`)
    expect(text).toContain('npm run build')
  })

  it('another program, and another version of this one', async () => {
    writeFileSync(at('sh'), fakeProgram({ version, platform: 'linux/amd64' }, 1000, false))
    expect(await refused('--with-cli', '--cli-from', at('sh'))).toContain('sh is another program')
    writeFileSync(at('old'), fakeProgram({ version: '0.0.7', platform: 'linux/amd64' }))
    expect(await refused('--with-cli', '--cli-from', at('old'))).toContain('old is ma-bundle 0.0.7')
  })

  it('a place without the wish for it', async () => {
    expect(await refused('--cli-from', dist)).toContain('--cli-from is given without --with-cli')
  })
})
