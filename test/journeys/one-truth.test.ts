import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { scanArchive } from '../../src/archive/scan.ts'
import { encodeHeader, padded } from '../../src/archive/tar.ts'
import { openFile } from '../../src/lib/bytes/file.ts'
import { fakeProgram } from '../support/elf.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

/** A bundle that shows other content to tar than to us, or carries another program than was signed. */

let folder: string
let small: SmallBundle
let target: RegistryDouble
let whole: Buffer
let program: { readonly dataAt: number; readonly size: number }
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'one-truth-'))
  ;[small, target] = await Promise.all([makeSmallBundle(), startDouble()])
  mkdirSync(at('dist'))
  const { version } = manifest
  writeFileSync(at('dist/ma-bundle-linux-amd64'), fakeProgram({ version, platform: 'linux/amd64' }, 20_000))
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
  execFileSync('openssl', ['pkey', '-in', at('key.pem'), '-pubout', '-out', at('pub.pem')])
  const carried = ['--with-cli', '--cli-from', at('dist'), '--sign', at('key.pem')]
  const { code, stderr } = await runShell(['export', at('b.tar'), '--spec', small.spec, ...carried])
  expect(code, stderr).toBe(0)
  whole = readFileSync(at('b.tar'))
  const file = await openFile(at('b.tar'))
  const found = (await scanArchive(file)).entries.get('ma-bundle')
  await file.close()
  if (found === undefined) throw new Error('no program is carried')
  program = found
})
afterAll(async () => {
  await Promise.all([small.remove(), target.stop()])
  rmSync(folder, { recursive: true })
})

const entry = (path: string, content: string): Uint8Array =>
  Buffer.concat([
    encodeHeader({ path, size: content.length }),
    Buffer.from(content),
    Buffer.alloc(padded(content.length) - content.length),
  ])

/** Every command that reads a bundle, with the key that signed it. */
const COMMANDS: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['import', ['--registry', '$TARGET', '--values', '$OUT/values.yaml']],
  ['inspect', []],
  ['verify', []],
  ['report', ['--output', '$OUT/report']],
  ['extract', ['--output', '$OUT/extracted']],
  ['values', ['--registry', 'r.example']],
  ['prove', []],
]
const run = (name: string, more: readonly string[], bundle: string): Promise<Outcome> =>
  runShell([
    name,
    at(bundle),
    ...more.map((arg) => arg.replace('$TARGET', target.host).replace('$OUT', at('out'))),
    '--verify-key',
    at('pub.pem'),
    '--signature',
    at('b.tar.sig'),
  ])

describe.each(COMMANDS)('%s', (name, more) => {
  it.each<[string, () => Buffer]>([
    [
      'a second program behind the end',
      () => Buffer.concat([whole, entry('ma-bundle', 'evil'), Buffer.alloc(1024)]),
    ],
    [
      'one in the place of the end mark',
      () => Buffer.concat([whole.subarray(0, -1024), entry('ma-bundle', ''), Buffer.alloc(1024)]),
    ],
    ['a byte far behind zeros', () => Buffer.concat([whole, Buffer.alloc(3_000_000), Buffer.from([1])])],
    [
      'a changed program',
      () => {
        const bytes = Buffer.from(whole)
        bytes[program.dataAt + program.size - 9] = (bytes[program.dataAt + program.size - 9] ?? 0) ^ 1
        return bytes
      },
    ],
  ])('refuses a bundle with %s', async (_, forge) => {
    writeFileSync(at('forged.tar'), forge())
    target.take()
    const { code, stderr } = await run(name, more, 'forged.tar')
    expect(code, stderr).toBe(5)
    expect(target.take()).toEqual([])
  })

  it('refuses one that was packed again with a file that its table does not list', async () => {
    const out = at('again')
    mkdirSync(out, { recursive: true })
    execFileSync('tar', ['xf', at('b.tar'), '-C', out])
    writeFileSync(join(out, 'ma-bundle-evil'), 'evil')
    execFileSync('tar', ['cf', at('forged.tar'), '-C', out, '.'])
    rmSync(out, { recursive: true })
    const { code, stderr } = await run(name, more, 'forged.tar')
    expect(code, stderr).toBe(5)
    expect(stderr).toMatch(/ma-bundle-evil|entries are damaged/)
  })
})

it('zeros behind the end, as tapes and pipes add them, are no harm', async () => {
  writeFileSync(at('padded.tar'), Buffer.concat([whole, Buffer.alloc(10_240)]))
  expect((await run('inspect', [], 'padded.tar')).code).toBe(0)
  expect((await run('import', ['--registry', '$TARGET', '--values', '$OUT-v.yaml'], 'padded.tar')).code).toBe(
    0,
  )
})

it('what lies behind the end is cut off by a repair, which says so', async () => {
  writeFileSync(at('long.tar'), Buffer.concat([whole, entry('ma-bundle', 'evil')]))
  const refused = await runShell(['inspect', at('long.tar')])
  expect(refused.code).toBe(5)
  expect(refused.stderr).toContain('verify --repair-from')
  const mended = await runShell(['verify', at('long.tar'), '--repair-from', at('b.tar')])
  expect(mended.code, mended.stderr).toBe(0)
  expect(readFileSync(at('long.tar')).equals(whole)).toBe(true)
})

describe('the lines that export prints for the other side', () => {
  it.each(['ed25519', 'p256'])(
    'check signature and program with a real openssl before it is run: %s',
    async (kind) => {
      const inside = mkdtempSync(join(folder, 'inside-'))
      if (kind === 'ed25519')
        execFileSync('openssl', ['genpkey', '-algorithm', kind, '-out', 'key.pem'], { cwd: inside })
      else
        execFileSync('openssl', ['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'key.pem'], {
          cwd: inside,
        })
      execFileSync('openssl', ['pkey', '-in', 'key.pem', '-pubout', '-out', 'pub.pem'], { cwd: inside })
      const carried = ['--with-cli', '--cli-from', at('dist'), '--sign', join(inside, 'key.pem')]
      const { stdout, code, stderr } = await runShell([
        'export',
        join(inside, 's.tar'),
        '--spec',
        small.spec,
        ...carried,
      ])
      expect(code, stderr).toBe(0)
      expect(passes(inside, lineIn(stdout))).toBe(true)
      const bytes = readFileSync(join(inside, 's.tar'))
      const right = readFileSync(join(inside, 'ma-bundle'))
      // Tar ends at the mark: what comes behind it is not what it takes out.
      writeFileSync(
        join(inside, 's.tar'),
        Buffer.concat([bytes, entry('ma-bundle', 'evil'), Buffer.alloc(1024)]),
      )
      expect(passes(inside, lineIn(stdout))).toBe(true)
      expect(readFileSync(join(inside, 'ma-bundle')).equals(right)).toBe(true)
      for (const forged of [
        Buffer.concat([bytes.subarray(0, -1024), entry('ma-bundle', 'evil'), Buffer.alloc(1024)]),
        Buffer.concat([bytes.subarray(0, -1024), entry('SHA256SUMS', 'evil'), Buffer.alloc(1024)]),
      ]) {
        writeFileSync(join(inside, 's.tar'), forged)
        expect(passes(inside, lineIn(stdout))).toBe(false)
      }
    },
  )

  it('compare the program with the digest that was printed, where nothing is signed', async () => {
    const inside = mkdtempSync(join(folder, 'inside-'))
    const carried = ['--with-cli', '--cli-from', at('dist')]
    const { stdout } = await runShell(['export', join(inside, 's.tar'), '--spec', small.spec, ...carried])
    expect(passes(inside, lineIn(stdout))).toBe(true)
    const bytes = readFileSync(join(inside, 's.tar'))
    writeFileSync(
      join(inside, 's.tar'),
      Buffer.concat([bytes.subarray(0, -1024), entry('ma-bundle', 'evil'), Buffer.alloc(1024)]),
    )
    expect(passes(inside, lineIn(stdout))).toBe(false)
  })
})

/** What is printed up to the start of the program, which is none here. */
function lineIn(stdout: string): string {
  const line = /then: (tar .*) && \.\/ma-bundle import .*/.exec(stdout)?.[1]
  if (line === undefined) throw new Error(`no next line: ${stdout}`)
  return line
}

function passes(cwd: string, line: string): boolean {
  try {
    execFileSync('bash', ['-c', line], { cwd, stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}

it('success says whose signature it was, and what it covers', async () => {
  const shown = execFileSync('bash', [
    '-c',
    `openssl pkey -pubin -in '${at('pub.pem')}' -outform DER | sha256sum`,
  ])
  const fingerprint = `sha256:${shown.toString().slice(0, 64)}`
  const entries = execFileSync('tar', ['tf', at('b.tar')])
    .toString()
    .trim()
    .split('\n').length
  for (const [name, more] of COMMANDS.filter(([one]) =>
    ['import', 'inspect', 'verify', 'report'].includes(one),
  )) {
    mkdirSync(at('out'), { recursive: true })
    const text = await run(name, more, 'b.tar')
    expect(text.code, text.stderr).toBe(0)
    expect(text.stdout).toContain(
      `The signature is valid: Ed25519 key ${fingerprint} (pub.pem); it covers all ${entries} entries.`,
    )
    const { json } = await run(name, [...more, '--json'], 'b.tar')
    expect(json.at(-1)?.['result']).toMatchObject({
      signedBy: { key: 'pub.pem', fingerprint, algorithm: 'Ed25519', covers: entries },
    })
  }
  expect(readFileSync(at('out/report.md'), 'utf8')).toContain(fingerprint)
  expect(readFileSync(at('out/report.json'), 'utf8')).toContain(fingerprint)
})
