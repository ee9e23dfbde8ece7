import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

let folder: string
let small: SmallBundle
let target: RegistryDouble
const at = (name: string): string => join(folder, name)
const openssl = (...args: readonly string[]): string => execFileSync('/usr/bin/openssl', args).toString()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sign-'))
  ;[small, target] = await Promise.all([makeSmallBundle(), startDouble()])
  openssl('genpkey', '-algorithm', 'ed25519', '-out', at('ed25519.pem'))
  openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', at('p256.pem'))
  openssl('genpkey', '-algorithm', 'ed25519', '-out', at('other.pem'))
  for (const name of ['ed25519', 'p256', 'other']) {
    openssl('pkey', '-in', at(`${name}.pem`), '-pubout', '-out', at(`${name}.pub`))
  }
  openssl('genrsa', '-out', at('rsa.pem'), '2048')
  openssl('ecparam', '-name', 'secp384r1', '-genkey', '-noout', '-out', at('p384.pem'))
  openssl('pkcs8', '-topk8', '-in', at('p256.pem'), '-out', at('locked.pem'), '-passout', 'pass:x')
})
afterAll(async () => {
  await Promise.all([small.remove(), target.stop()])
  rmSync(folder, { recursive: true })
})

const importing = (file: string, ...more: readonly string[]): Promise<Outcome> =>
  runShell(['import', file, '--registry', target.host, '--values', at('values.yaml'), ...more])

describe.each(['ed25519', 'p256'])('a bundle signed with %s', (name) => {
  const file = (): string => at(`${name}.tar`)
  beforeAll(async () => {
    writeFileSync(file(), small.bytes)
    const { code, stderr, stdout } = await runShell(['sign', file(), '--key', at(`${name}.pem`)])
    expect(stderr).not.toContain('error')
    expect(stdout).toContain(`Signed with ${name === 'p256' ? 'ECDSA P-256' : 'Ed25519'}: ${name}.tar.sig`)
    expect(code).toBe(0)
  })

  it('is taken by verify and import', async () => {
    expect((await runShell(['verify', file(), '--verify-key', at(`${name}.pub`)])).code).toBe(0)
    expect((await importing(file(), '--verify-key', at(`${name}.pub`), '--require-signature')).code).toBe(0)
  })

  it('is taken by openssl, over the SHA256SUMS that tar gives, which covers every file', () => {
    const out = at(`${name}-out`)
    mkdirSync(out, { recursive: true })
    execFileSync('tar', ['xf', file(), '-C', out])
    writeFileSync(at('raw.sig'), Buffer.from(readFileSync(`${file()}.sig`, 'utf8'), 'base64'))
    const sums = join(out, 'SHA256SUMS')
    const own = name === 'p256' ? ['dgst', '-sha256', '-verify'] : ['pkeyutl', '-verify', '-pubin', '-inkey']
    const rest =
      name === 'p256'
        ? ['-signature', at('raw.sig'), sums]
        : ['-rawin', '-in', sums, '-sigfile', at('raw.sig')]
    expect(openssl(...own, at(`${name}.pub`), ...rest)).toMatch(/Verified OK|Signature Verified Successfully/)
    execFileSync('sha256sum', ['-c', '--quiet', 'SHA256SUMS'], { cwd: out })
    const listed = readFileSync(sums, 'utf8').trim().split('\n').length
    expect(execFileSync('tar', ['tf', file()]).toString().trim().split('\n')).toHaveLength(listed + 1)
  })

  it('is taken after another program packed it again', async () => {
    const out = at(`${name}-again`)
    mkdirSync(out, { recursive: true })
    execFileSync('tar', ['xf', file(), '-C', out])
    execFileSync('tar', ['cf', at('again.tar'), '-C', out, '.'])
    const flags = ['--verify-key', at(`${name}.pub`), '--signature', `${file()}.sig`]
    expect((await runShell(['verify', at('again.tar'), ...flags])).code).toBe(0)
  })

  it('is refused with another key, before anything is pushed', async () => {
    target.take()
    const { code, stderr } = await importing(file(), '--verify-key', at('other.pub'))
    expect(stderr).toContain('the signature is not of this bundle with this key')
    expect(code).toBe(5)
    expect(target.take()).toEqual([])
  })

  it.each<[string, (text: string) => string]>([
    ['empty', () => ''],
    ['cut', (text) => text.slice(0, -8)],
    ['changed', (text) => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`],
    ['no base64', () => '<html>not found</html>'],
    ['very long', (text) => text.repeat(1000)],
  ])('is refused with a signature that is %s', async (_, change) => {
    writeFileSync(at('changed.sig'), change(readFileSync(`${file()}.sig`, 'utf8')))
    target.take()
    const { code, stderr } = await importing(
      file(),
      '--verify-key',
      at(`${name}.pub`),
      '--signature',
      at('changed.sig'),
    )
    expect(stderr).toContain('the signature is not of this bundle')
    expect(code).toBe(5)
    expect(target.take()).toEqual([])
  })

  it('is refused without its signature', async () => {
    const flags = ['--verify-key', at(`${name}.pub`), '--signature', at('none.sig')]
    const { code, stderr } = await importing(file(), ...flags)
    expect(stderr).toContain('no signature next to it')
    expect(code).toBe(5)
  })

  it('cannot be changed together with its SHA256SUMS', async () => {
    const out = at(`${name}-evil`)
    execFileSync('bash', [
      '-c',
      `mkdir -p '${out}' && tar xf '${file()}' -C '${out}' && cd '${out}' && echo '{}' > lock.json && chmod u+w * && list=$(cut -c67- SHA256SUMS) && sha256sum $list > SHA256SUMS && tar cf '${at('evil.tar')}' .`,
    ])
    const { code } = await importing(
      at('evil.tar'),
      '--verify-key',
      at(`${name}.pub`),
      '--signature',
      `${file()}.sig`,
    )
    expect(code).toBe(5)
  })
})

describe('keys', () => {
  it.each([
    ['an RSA key', 'rsa.pem', /Ed25519 and ECDSA P-256 are used/],
    ['a P-384 key', 'p384.pem', /Ed25519 and ECDSA P-256 are used/],
    ['a locked key', 'locked.pem', /the key is encrypted/],
    ['a public key', 'p256.pub', /no private key/],
    ['something else', 'values.txt', /no private key/],
    ['nothing', 'none.pem', /cannot read the key/],
  ])('%s is refused before anything is done', async (_, key, words) => {
    writeFileSync(at('values.txt'), 'a: 1\n')
    const { code, stderr } = await runShell(['sign', small.file, '--key', at(key)])
    expect(stderr).toMatch(words)
    expect(code).toBe(2)
  })

  it('a private key does not verify, and nothing of it is shown', async () => {
    const { code, stderr } = await runShell([
      'verify',
      small.file,
      '--verify-key',
      at('p256.pem'),
      '--verbose',
    ])
    expect(stderr).toContain('only its public half is needed')
    expect(code).toBe(2)
    for (const line of readFileSync(at('p256.pem'), 'utf8').split('\n').slice(1, -2))
      expect(stderr).not.toContain(line)
  })

  it('--require-signature wants one', async () => {
    const { code, stderr } = await importing(small.file, '--require-signature')
    expect(stderr).toContain('--verify-key')
    expect(code).toBe(2)
  })
})

describe('signing', () => {
  it('is a part of export, and leaves the bytes of the bundle as they are', async () => {
    const { code, stderr, stdout } = await runShell([
      'export',
      at('signed.tar'),
      '--spec',
      small.spec,
      '--sign',
      at('p256.pem'),
    ])
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('carry signed.tar.sig along')
    expect(Buffer.compare(readFileSync(at('signed.tar')), small.bytes)).toBe(0)
    expect((await runShell(['verify', at('signed.tar'), '--verify-key', at('p256.pub')])).code).toBe(0)
    expect(statSync(at('signed.tar.sig')).mode & 0o022).toBe(0)
  })

  it('asks for the key before it fetches', async () => {
    const before = small.source.requests.length
    const { code } = await runShell([
      'export',
      at('never.tar'),
      '--spec',
      small.spec,
      '--sign',
      at('none.pem'),
    ])
    expect(code).toBe(2)
    expect(small.source.requests).toHaveLength(before)
  })

  it('is refused for a damaged bundle', async () => {
    const bytes = Uint8Array.from(small.bytes)
    bytes[bytes.length - 2000] = (bytes[bytes.length - 2000] ?? 0) ^ 1
    writeFileSync(at('damaged.tar'), bytes)
    const { code, stderr } = await runShell(['sign', at('damaged.tar'), '--key', at('p256.pem')])
    expect(stderr).toContain('nothing was signed')
    expect(code).toBe(5)
  })
})

describe('the report', () => {
  it('tells contents, digests, sources and licences, the same on every machine', async () => {
    writeFileSync(at('r.tar'), small.bytes)
    const { code, stderr } = await runShell(['report', at('r.tar')])
    expect(code, stderr).toBe(0)
    const text = readFileSync(at('r.tar.report.json'), 'utf8')
    const sums = execFileSync('bash', ['-c', `tar xOf '${at('r.tar')}' SHA256SUMS | sha256sum`]).toString()
    const report = JSON.parse(text) as Record<string, unknown>
    expect(report).toMatchObject({
      name: 'small',
      size: small.bytes.length,
      sums: `sha256:${sums.slice(0, 64)}`,
    })
    expect(report['contents']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'chart', source: `http://${small.source.host}/charts` }),
        expect.objectContaining({
          kind: 'image',
          digest: small.images['team/two:2']?.digest,
          licences: ['MIT'],
        }),
        expect.objectContaining({ kind: 'image', platforms: ['linux/amd64', 'linux/arm64'], licences: [] }),
        expect.objectContaining({ kind: 'file', name: 'index.yaml' }),
      ]),
    )
    expect(text).not.toContain(folder)
    const readable = readFileSync(at('r.tar.report.md'), 'utf8')
    expect(readable).toContain('# small 1.0.0')
    expect(readable).toMatch(/\| image \| .*team\/two:2 \| .* \| MIT \|/)
    expect((await runShell(['report', at('r.tar'), '--output', at('again')])).code).toBe(0)
    expect(readFileSync(at('again.json'), 'utf8')).toBe(text)
  })
})
