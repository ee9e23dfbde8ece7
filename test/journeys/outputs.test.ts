import { execFileSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { runShell } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

/** Small files that commands write: whole or not at all, through no link, and refused before any work where they can be. */

let folder: string
let small: SmallBundle
let target: RegistryDouble
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  ;[small, target] = await Promise.all([makeSmallBundle(), startDouble()])
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outputs-'))
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
  return () => rmSync(folder, { recursive: true, force: true })
})
afterAll(() => Promise.all([small.remove(), target.stop()]))

const values = (name: string): string[] => ['--registry', target.host, '--values', at(name)]
/** What each command writes, and how. */
const WRITERS: readonly (readonly [file: string, args: () => readonly string[]])[] = [
  ['r.json', () => ['report', small.file, '--output', at('r')]],
  ['r.md', () => ['report', small.file, '--output', at('r')]],
  ['p.html', () => ['inspect', small.file, '--html', at('p.html')]],
  ['s.sig', () => ['sign', small.file, '--key', at('key.pem'), '--output', at('s.sig')]],
  [
    'pub.pem',
    () => [
      'sign',
      small.file,
      '--key',
      at('key.pem'),
      '--output',
      at('s.sig'),
      '--public-key-out',
      at('pub.pem'),
    ],
  ],
  ['v.yaml', () => ['import', small.file, ...values('v.yaml')]],
  ['l.json', () => ['lock', at('l.json'), '--spec', small.spec]],
  ['o.tar.lock.json', () => ['export', at('o.tar'), '--spec', small.spec]],
  ['i.txt', () => ['inventory', '--registry', target.host, '--bundle', small.file, '--output', at('i.txt')]],
  ['x/web-1.2.3.tgz', () => ['extract', small.file, 'web', '--output', at('x')]],
  ['v.tar.volumes.json', () => ['export', at('v.tar'), '--spec', small.spec, '--split', '65536']],
]

describe.each(WRITERS)('%s', (file, args) => {
  it('is written anew over a planted link, which is not followed, and over what was left', async () => {
    mkdirSync(at('x'))
    writeFileSync(at('victim'), 'precious')
    for (const plant of [
      () => symlinkSync(at('victim'), at(`${file}.partial`)),
      () => writeFileSync(at(`${file}.partial`), 'left by an earlier run'.repeat(10_000)),
    ]) {
      plant()
      const { code, stderr } = await runShell(args())
      expect(code, stderr).toBe(0)
      expect(readFileSync(at('victim'), 'utf8')).toBe('precious')
      expect(lstatSync(at(file)).isFile()).toBe(true)
      expect(readFileSync(at(file), 'utf8')).not.toContain('left by')
      expect(
        readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith('.partial')),
      ).toEqual([])
    }
  })
})

describe('before the first byte is asked for', () => {
  it.each([235, 243, 247, 251])(
    'a name of %i bytes is refused, because nothing beside it would fit',
    async (length) => {
      const before = small.source.requests.length
      const name = `${'n'.repeat(length - 4)}.tar`
      const { code, stderr } = await runShell(['export', at(name), '--spec', small.spec])
      expect(stderr).toContain('at most 234 leave room for the endings')
      expect(code).toBe(2)
      expect(small.source.requests).toHaveLength(before)
    },
  )

  it('and one of 234 has room for all of it', async () => {
    const name = `${'n'.repeat(230)}.tar`
    for (const more of [[], ['--split', '65536'], ['--sign', at('key.pem')]]) {
      const { code, stderr } = await runShell(['export', at(name), '--spec', small.spec, ...more])
      expect(code, stderr).toBe(0)
    }
  })

  it.each<[string, () => string, RegExp]>([
    ['a folder that is not there', () => at('none/v.yaml'), /the folder does not exist/],
    ['a folder in its place', () => folder, /it is a folder/],
    ['a file where a folder belongs', () => at('key.pem/v.yaml'), /a part of the path is not a folder/],
  ])('import refuses values in %s, and pushes nothing', async (_, file, words) => {
    target.take()
    const { code, stderr } = await runShell([
      'import',
      small.file,
      '--registry',
      target.host,
      '--values',
      file(),
    ])
    expect(stderr).toMatch(words)
    expect(stderr).toContain('nothing was pushed')
    expect(code).toBe(2)
    expect(target.take()).toEqual([])
    expect(existsSync(at('none'))).toBe(false)
  })
})
