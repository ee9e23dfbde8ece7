import { generateKeyPairSync } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { helmBinary } from '../support/helm.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { startServe } from '../support/serve.ts'
import { runShell } from '../support/shell.ts'

let folder: string
let small: SmallBundle
let helm: string
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'signed-use-'))
  ;[small, helm] = await Promise.all([makeSmallBundle(), helmBinary(3)])
  for (const name of ['own', 'other']) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    writeFileSync(at(`${name}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    writeFileSync(at(`${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }))
  }
  copyFileSync(small.file, at('signed.tar'))
  copyFileSync(small.file, at('bare.tar'))
  const { code, stderr } = await runShell(['sign', at('signed.tar'), '--key', at('own.pem')])
  expect(code, stderr).toBe(0)
  // The last byte of its last layer.
  const rotten = Uint8Array.from(small.bytes)
  const last = rotten.findLastIndex((byte) => byte !== 0)
  rotten[last] = (rotten[last] ?? 0) ^ 1
  writeFileSync(at('rotten.tar'), rotten)
  copyFileSync(at('signed.tar.sig'), at('rotten.tar.sig'))
  mkdirSync(at('out'))
})
afterAll(async () => {
  await small.remove()
  rmSync(folder, { recursive: true })
})

/** Every command that uses what is in a bundle, writing into `out` if it writes. */
const USES: readonly (readonly [name: string, args: (bundle: string) => readonly string[]])[] = [
  ['inspect', (bundle) => ['inspect', bundle]],
  ['verify', (bundle) => ['verify', bundle]],
  ['report', (bundle) => ['report', bundle, '--output', at('out/report')]],
  ['extract', (bundle) => ['extract', bundle, '--output', at('out/things')]],
  ['values', (bundle) => ['values', bundle, '--registry', 'registry.example']],
  [
    'values for nodes',
    (bundle) => [
      'values',
      bundle,
      '--registry',
      'registry.example',
      '--format',
      'containerd',
      '--output',
      at('out/nodes'),
    ],
  ],
  ['prove', (bundle) => ['prove', bundle, '--helm', helm]],
  ['post-render', (bundle) => ['post-render', bundle, '--registry', 'registry.example']],
  [
    'post-render --write-plugin',
    (bundle) => ['post-render', bundle, '--registry', 'registry.example', '--write-plugin', at('out/plugin')],
  ],
  ['diff', (bundle) => ['diff', bundle, bundle]],
]

describe.each([
  ...USES,
  ['serve', (bundle: string) => ['serve', bundle, '--listen', '127.0.0.1:0']] as const,
])('%s', (_, args) => {
  it('uses nothing of a bundle that another key signed, or nobody', async () => {
    for (const [bundle, key, words] of [
      ['signed.tar', 'other.pub', 'the signature is not of this bundle with this key'],
      ['bare.tar', 'own.pub', 'the bundle has no signature next to it'],
    ] as const) {
      const run = await runShell([...args(at(bundle)), '--verify-key', at(key)], { stdin: 'kind: List\n' })
      expect(run.stderr).toContain(words)
      expect(run.stdout).toBe('')
      expect(run.code).toBe(5)
      expect(readdirSync(at('out'))).toEqual([])
    }
  })

  it('says what to give when a signature is required by the environment or the config file', async () => {
    writeFileSync(at('config.yaml'), 'all:\n  require-signature: true\n')
    for (const [more, env] of [
      [[], { MA_BUNDLE_REQUIRE_SIGNATURE: 'true' }],
      [['--config', at('config.yaml')], {}],
    ] as const) {
      const run = await runShell([...args(at('signed.tar')), ...more], { env, stdin: 'kind: List\n' })
      expect(run.stderr).toContain('a signature is required here')
      expect(run.stderr).toContain('--verify-key <file>, MA_BUNDLE_VERIFY_KEY')
      expect(run.stdout).toBe('')
      expect(run.code).toBe(2)
      expect(readdirSync(at('out'))).toEqual([])
    }
  })
})

/** Every flag that names a bundle besides the one that a command is about. */
const OTHERS: readonly (readonly [name: string, args: (bundle: string) => readonly string[]])[] = [
  ['export --reuse', (bundle) => ['export', at('out/e.tar'), '--spec', small.spec, '--reuse', bundle]],
  ['export --since', (bundle) => ['export', at('out/e.tar'), '--spec', small.spec, '--since', bundle]],
  ['plan --reuse', (bundle) => ['plan', '--spec', small.spec, '--reuse', bundle]],
  ['plan --since', (bundle) => ['plan', '--spec', small.spec, '--since', bundle]],
  ['plan --against', (bundle) => ['plan', '--spec', small.spec, '--against', bundle]],
  ['mirror --reuse', (bundle) => ['mirror', '--spec', small.spec, '--registry', NOBODY, '--reuse', bundle]],
  ['inventory --bundle', (bundle) => ['inventory', '--registry', NOBODY, '--bundle', bundle]],
  ['inspect --compare', (bundle) => ['inspect', at('signed.tar'), '--compare', bundle]],
  ['verify --repair-from', (bundle) => ['verify', at('rotten.tar'), '--repair-from', bundle]],
  ['merge', (bundle) => ['merge', at('signed.tar'), bundle, '--output', at('out/m.tar')]],
  ['diff', (bundle) => ['diff', at('signed.tar'), bundle]],
  ['prune --keep', (bundle) => ['prune', '--registry', NOBODY, '--keep', bundle]],
  ['rehearse', (bundle) => ['rehearse', bundle, '--registry', NOBODY]],
  ['sign', (bundle) => ['sign', bundle, '--key', at('other.pem'), '--output', at('out/s.sig')]],
]
/** Nothing listens there: who gets that far has passed the check. */
const NOBODY = '127.0.0.1:9'

describe.each(OTHERS)('%s, where a site requires signatures,', (name, args) => {
  it('reads no bundle that nobody signed', async () => {
    const env = { MA_BUNDLE_REQUIRE_SIGNATURE: '1', MA_BUNDLE_VERIFY_KEY: at('own.pub') }
    const run = await runShell(args(at('bare.tar')), { env })
    expect(run.stderr).toContain('the bundle has no signature next to it')
    expect(run.code).toBe(5)
    expect(readdirSync(at('out'))).toEqual([])
  })

  it('asks for a key', async () => {
    const run = await runShell(args(at('signed.tar')), { env: { MA_BUNDLE_REQUIRE_SIGNATURE: '1' } })
    expect(run.stderr).toContain('a signature is required here')
    expect(run.code).toBe(2)
    expect(readdirSync(at('out'))).toEqual([])
  })

  it('takes one that the key has signed', async () => {
    const env = { MA_BUNDLE_REQUIRE_SIGNATURE: '1', MA_BUNDLE_VERIFY_KEY: at('own.pub') }
    const run = await runShell(args(at('signed.tar')), { env })
    expect(run.stderr).not.toContain('signature')
    const isLocal = !args('').includes(NOBODY)
    expect(run.code, `${name}: ${run.stderr}`).toBe(isLocal ? 0 : 4)
    for (const left of readdirSync(at('out'))) rmSync(at(`out/${left}`), { recursive: true })
  })
})

it.each(USES)('%s works when the key of the environment has signed it', async (_, args) => {
  const { code, stderr } = await runShell(args(at('signed.tar')), {
    env: { MA_BUNDLE_REQUIRE_SIGNATURE: '1', MA_BUNDLE_VERIFY_KEY: at('own.pub') },
    stdin: 'kind: List\n',
  })
  expect(stderr).not.toContain('error')
  expect(code).toBe(0)
  for (const name of readdirSync(at('out'))) rmSync(at(`out/${name}`), { recursive: true })
})

it('serve works when this key has signed it', async () => {
  const served = await startServe(at('signed.tar'), folder, ['--verify-key', at('own.pub')])
  expect((await fetch(`${served.url}/v2/`)).status).toBe(200)
  expect((await served.stop()).code).toBe(0)
})

it('a post-renderer goes on asking for the signature', async () => {
  const flags = ['--verify-key', at('own.pub'), '--require-signature']
  const to = at('plugin')
  const args = ['post-render', at('signed.tar'), '--registry', 'registry.example', ...flags]
  expect((await runShell([...args, '--write-plugin', to])).code).toBe(0)
  const script = readFileSync(join(to, 'post-render.sh'), 'utf8')
  expect(script).toContain(`'--verify-key=${at('own.pub')}'`)
  expect(script).toContain("'--require-signature'")
})

it('a bundle is mended, and its signature checked again', async () => {
  const bytes = Uint8Array.from(small.bytes)
  // Inside bundle.json, which nothing but another bundle can mend.
  bytes[600] = (bytes[600] ?? 0) ^ 1
  writeFileSync(at('damaged.tar'), bytes)
  copyFileSync(at('signed.tar.sig'), at('damaged.tar.sig'))
  const mend = (key: string) =>
    runShell(['verify', at('damaged.tar'), '--repair-from', at('bare.tar'), '--verify-key', at(key)])
  const { code, stderr } = await mend('own.pub')
  expect(code, stderr).toBe(0)
  expect(Buffer.compare(readFileSync(at('damaged.tar')), small.bytes)).toBe(0)
  expect((await mend('other.pub')).code).toBe(5)
})
