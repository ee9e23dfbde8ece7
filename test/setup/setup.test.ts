import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import debianPackages from './debian-packages.json' with { type: 'json' }

const tests = join(import.meta.dirname, '..')

/** Of Debian's essential packages, or of what runs the tests. */
const ALWAYS_THERE = [
  'bash',
  'cat',
  'chroot',
  'find',
  'ldd',
  'ln',
  'mkdir',
  'mkfifo',
  'node',
  'npm',
  'npx',
  'sh',
  'sha256sum',
  'sync',
  'tar',
  'truncate',
  'unshare',
]

const CALLS = [
  /\b(?:spawn|spawnSync|execFile|execFileSync|runProgram)\(\s*'([a-z][a-z0-9-]*)'/g,
  /\bspawn(?:Sync)?\(\[\s*'([a-z][a-z0-9-]*)'/g,
  /'\/usr\/s?bin\/([a-z][a-z0-9-]*)'/g,
]

/** The programs that test code names where it starts one, each with a file that does. */
function calledPrograms(): Map<string, string> {
  const called = new Map<string, string>()
  for (const path of readdirSync(tests, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.ts') || path.startsWith('bench')) continue
    const text = readFileSync(join(tests, path), 'utf8')
    for (const [, program = ''] of CALLS.flatMap((call) => [...text.matchAll(call)]))
      called.set(program, path)
  }
  return called
}

describe('npm run setup', () => {
  it('installs every program that a test starts', () => {
    const known = new Set([...ALWAYS_THERE, ...Object.values(debianPackages).flat()])
    const called = calledPrograms()
    expect([...called].filter(([program]) => !known.has(program))).toEqual([])
    expect(called.keys().toArray()).toContain('skopeo')
  })

  it('is told in the README', () => {
    const readme = readFileSync(join(tests, '..', 'README.md'), 'utf8')
    const [, sentence = ''] = /installs, with apt([^]*?)\(no service/.exec(readme) ?? []
    const named = new Set(sentence.match(/[a-z][a-z0-9-]+/g))
    const missing = Object.entries(debianPackages).filter(
      ([name, programs]) => name !== 'mount' && ![name, ...programs].some((one) => named.has(one)),
    )
    expect(missing).toEqual([])
  })
})
