import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createUploadRecords } from '../../src/bundle/import/upload-state.ts'
import { digestOf } from '../../src/oci/digest.ts'
import manifest from '../../package.json' with { type: 'json' }
import { fakeProgram } from '../support/elf.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

let small: SmallBundle
let registry: RegistryDouble
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-modes-'))
  ;[small, registry] = await Promise.all([makeSmallBundle(), startDouble()])
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', join(folder, 'key.pem')])
  writeFileSync(join(folder, 'other.yaml'), `images: [${small.source.host}/team/two:2]\n`)
  const other = ['export', join(folder, 'other.tar'), '--spec', join(folder, 'other.yaml')]
  expect(await run('022', folder, [...other, '--allow-missing-platform'])).toMatchObject({ code: 0 })
  mkdirSync(join(folder, 'dist'))
  const { version } = manifest
  const program = fakeProgram({ version, platform: 'linux/amd64' })
  writeFileSync(join(folder, 'dist', 'ma-bundle-linux-amd64'), program)
})
afterAll(async () => {
  await Promise.all([small.remove(), registry.stop()])
  rmSync(folder, { recursive: true })
})

const CLI = join(import.meta.dirname, '..', '..', 'src', 'cli.ts')

/** Runs the program in a folder of its own, as a shell with this umask does. */
async function run(umask: string, at: string, args: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn(['sh', '-c', `umask ${umask}; exec "$@"`, 'sh', process.execPath, CLI, ...args], {
    cwd: at,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: at,
      DOCKER_CONFIG: at,
      XDG_STATE_HOME: join(at, 'state'),
      ...env,
    },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stderr] = await Promise.all([new Response(child.stderr).text(), new Response(child.stdout).text()])
  return { code: await child.exited, stderr }
}

/** Path to mode, of all that is below. */
const modesBelow = (at: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(at, { recursive: true, encoding: 'utf8' })
      // Bun's own, in the home.
      .filter((name) => !name.startsWith('.bun'))
      .toSorted()
      .map((name) => [name, (statSync(join(at, name)).mode & 0o7777).toString(8)]),
  )

describe.each([
  ['022', '644', '755'],
  ['077', '600', '700'],
])('under umask %s', (umask, file, dir) => {
  const fresh = (): string => mkdtempSync(join(folder, 'run-'))
  const key = (): string => join(folder, 'key.pem')

  it.each<[string, () => readonly string[], readonly string[]]>([
    [
      'export, lock and signature',
      () => [
        'export',
        'o.tar',
        '--spec',
        small.spec,
        '--sign',
        key(),
        '--with-cli',
        '--cli-from',
        join(folder, 'dist'),
      ],
      ['o.tar', 'o.tar.lock.json', 'o.tar.sig'],
    ],
    [
      'volumes, their list and sums',
      () => ['export', 'o.tar', '--spec', small.spec, '--split', '1MiB', '--sign', key()],
      ['o.tar.001', 'o.tar.lock.json', 'o.tar.sha256', 'o.tar.sig', 'o.tar.volumes.json'],
    ],
    ['a lock', () => ['lock', 'x.lock.json', '--spec', small.spec], ['x.lock.json']],
    [
      'a merge',
      () => ['merge', small.file, join(folder, 'other.tar'), '-o', 'm.tar'],
      ['m.tar', 'm.tar.lock.json'],
    ],
    ['a page', () => ['inspect', small.file, '--html', 'p.html'], ['p.html']],
    ['a report', () => ['report', small.file, '--output', 'r'], ['r.json', 'r.md']],
    ['an inventory', () => ['inventory', '--registry', registry.host, '--output', 'i.json'], ['i.json']],
    [
      'a signature',
      () => ['sign', small.file, '--key', key(), '--output', 's', '--public-key-out', 'p.pem'],
      ['p.pem', 's'],
    ],
  ])('%s', async (_, args, names) => {
    const at = fresh()
    const { code, stderr } = await run(umask, at, args())
    expect(code, stderr).toBe(0)
    expect(modesBelow(at)).toEqual(Object.fromEntries(names.map((name) => [name, file])))
  })

  it('the override of an import, and folders', async () => {
    const at = fresh()
    const { code, stderr } = await run(umask, at, ['import', small.file, '--registry', registry.host])
    expect(code, stderr).toBe(0)
    const modes = modesBelow(at)
    expect(Object.keys(modes)).toContain('ma-bundle-values.yaml')
    for (const [name, mode] of Object.entries(modes))
      expect(`${name} ${mode}`).toBe(`${name} ${statSync(join(at, name)).isDirectory() ? dir : file}`)
  })

  it('what an export leaves that breaks off', async () => {
    const at = fresh()
    const before = registry.host
    writeFileSync(join(at, 'spec.yaml'), `images: [${small.source.host}/team/one:1, ${before}/team/none:1]\n`)
    const { code } = await run(umask, at, ['export', 'o.tar', '--spec', 'spec.yaml'])
    expect(code).toBe(1)
    for (const [name, mode] of Object.entries(modesBelow(at)))
      if (name !== 'spec.yaml') expect(`${name} ${mode}`).toBe(`${name} ${file}`)
  })
})

it('what is remembered of uploads is for its owner alone', async () => {
  const at = mkdtempSync(join(folder, 'state-'))
  const records = createUploadRecords(join(at, 'ma-bundle', 'uploads'), 'registry.example')
  const digest = digestOf(new Uint8Array(1))
  await records.save('team/one', digest, { uploadId: 'u', partSize: 1, at: 0 })
  const [name = ''] = readdirSync(join(at, 'ma-bundle', 'uploads'))
  expect(modesBelow(at)).toEqual({
    'ma-bundle': '700',
    'ma-bundle/uploads': '700',
    [`ma-bundle/uploads/${name}`]: '600',
  })
})

it('what helm gets to read lies in a folder for its owner alone, and is gone afterwards', async () => {
  const at = mkdtempSync(join(folder, 'helm-'))
  const temporary = join(at, 'tmp')
  mkdirSync(temporary)
  const script = [
    '#!/bin/sh',
    `for each in "${temporary}"/*; do [ -e "$each" ] && stat -c '%a' "$each" >> "${at}/folders"; done`,
    `find "${temporary}" -mindepth 2 -maxdepth 2 -type f -exec stat -c '%a' {} + >> "${at}/files"`,
    'if [ "$1" = version ]; then echo v3.18.0; exit 0; fi',
    'echo no >&2; exit 1',
  ]
  writeFileSync(join(at, 'helm'), `${script.join('\n')}\n`, { mode: 0o755 })
  const args = ['export', 'o.tar', '--spec', small.spec]
  await run('000', at, args, { TMPDIR: temporary, PATH: `${at}:${process.env.PATH ?? ''}` })
  const seen = (name: string): readonly string[] => [
    ...new Set(readFileSync(join(at, name), 'utf8').trim().split('\n')),
  ]
  expect(seen('folders')).toEqual(['700'])
  expect(seen('files')).toEqual(['600'])
  expect(readdirSync(temporary)).toEqual([])
})
