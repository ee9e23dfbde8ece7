import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { fakeProgram } from '../support/elf.ts'
import { random } from '../support/random.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { sha256 } from '../support/registry/protocol.ts'
import { runShell } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

/**
 * Single bytes of a signed bundle with an importer are changed, wherever they lie: import with the key refuses each, or
 * what it brings is the same to the byte.
 */
const COUNT = 1000

let folder: string
let small: SmallBundle
let target: RegistryDouble
let whole: Buffer
let right: string
let program: Uint8Array
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mutations-'))
  ;[small, target] = await Promise.all([makeSmallBundle(), startDouble()])
  mkdirSync(at('dist'))
  program = fakeProgram({ version: manifest.version, platform: 'linux/amd64' }, 9000)
  writeFileSync(at('dist/ma-bundle-linux-amd64'), program)
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
  execFileSync('openssl', ['pkey', '-in', at('key.pem'), '-pubout', '-out', at('pub.pem')])
  const carried = ['--with-cli', '--cli-from', at('dist'), '--sign', at('key.pem')]
  const { code, stderr } = await runShell(['export', at('b.tar'), '--spec', small.spec, ...carried])
  expect(code, stderr).toBe(0)
  whole = readFileSync(at('b.tar'))
  writeFileSync(at('mutant.tar.sig'), readFileSync(at('b.tar.sig')))
  const { brought, ...first } = await imported(whole)
  expect(first.code, first.stderr).toBe(0)
  right = brought
})
afterAll(async () => {
  await Promise.all([small.remove(), target.stop()])
  rmSync(folder, { recursive: true })
})

/** Imports the bytes into an empty registry, and tells all that is there and beside it afterwards. */
async function imported(bytes: Uint8Array) {
  writeFileSync(at('mutant.tar'), bytes)
  for (const map of [target.contents.blobs, target.contents.manifests]) map.clear()
  target.contents.sessions.clear()
  rmSync(at('values.yaml'), { force: true })
  const given = ['--registry', target.host, '--values', at('values.yaml'), '--verify-key', at('pub.pem')]
  const { code, stderr } = await runShell(['import', at('mutant.tar'), ...given])
  const there = code === 0 ? describeAll() : ''
  return { code, stderr, brought: there }
}

function describeAll(): string {
  const tags = [...target.contents.manifests].flatMap(([repository, stored]) =>
    [...stored].map(([tag, { raw }]) => `${repository}:${tag} ${sha256(raw)}`),
  )
  const blobs = [...target.contents.blobs].flatMap(([repository, stored]) =>
    [...stored].map(([digest, content]) => `${repository} ${digest} ${sha256(content)}`),
  )
  const files = [readFileSync(at('values.yaml')), programIn(at('mutant.tar'))].map((bytes) => sha256(bytes))
  return [...tags, ...blobs, ...files].toSorted().join('\n')
}

/** As people take it out; where tar finds none, there is none to be run, which is as good as the right one. */
function programIn(bundle: string): Uint8Array {
  try {
    return execFileSync('tar', ['xOf', bundle, 'ma-bundle'], { stdio: 'pipe' })
  } catch {
    return program
  }
}

it(`${COUNT} changed bytes are each refused, or change nothing of what is imported`, async () => {
  const next = random('mutations')
  let refused = 0
  for (let at_ = 0; at_ < COUNT; at_ += 1) {
    const bytes = Buffer.from(whole)
    const spot = Math.floor(next() * bytes.length)
    bytes[spot] = (bytes[spot] ?? 0) ^ (1 + Math.floor(next() * 255))
    const { code, stderr, brought } = await imported(bytes)
    const what = `byte ${spot}: ${stderr.slice(0, 300)}`
    expect(stderr, what).not.toContain('bug in ma-bundle')
    if (code === 0) expect(brought, what).toBe(right)
    else {
      expect([1, 5], what).toContain(code)
      refused += 1
    }
  }
  // Padding and what import does not use are a small part of it.
  expect(refused).toBeGreaterThan(COUNT / 2)
}, 600_000)
