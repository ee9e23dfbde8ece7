import { execFileSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { EXAMPLE_KEY } from '../support/ecr/signature.ts'
import { startKms, type KmsDouble, type KmsDoubleOptions } from '../support/kms.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { runShell, type Outcome } from '../support/shell.ts'

let folder: string
let small: SmallBundle
const running: KmsDouble[] = []
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  // The SDK itself reads the environment of the process.
  for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE']) vi.stubEnv(name, '')
  vi.stubEnv('AWS_CONFIG_FILE', '/dev/null')
  folder = mkdtempSync(join(tmpdir(), 'sign-kms-'))
  small = await makeSmallBundle()
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()))
})
afterAll(async () => {
  await small.remove()
  rmSync(folder, { recursive: true })
  vi.unstubAllEnvs()
})

async function kms(options: KmsDoubleOptions = {}): Promise<KmsDouble> {
  const double = await startKms(options)
  running.push(double)
  return double
}

const KEY = 'awskms:///alias/bundles'
let made = 0
/** A copy of the bundle that nobody has signed. */
function bundle(): string {
  made += 1
  copyFileSync(small.file, at(`${made}.tar`))
  return at(`${made}.tar`)
}

const signing = (
  file: string,
  { environment }: KmsDouble,
  key = KEY,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> =>
  runShell(['sign', file, '--key', key], { env: { HOME: folder, ...environment, ...env } })

describe('a key in AWS KMS', () => {
  it('signs what verify, import and openssl take, by the public half that sign writes', async () => {
    const double = await kms()
    const file = bundle()
    const pub = at('kms.pub')
    const { code, stderr, stdout } = await runShell(['sign', file, '--key', KEY, '--public-key-out', pub], {
      env: double.environment,
    })
    expect(code, stderr).toBe(0)
    expect(stdout).toContain('Signed with ECDSA P-256')
    expect(readFileSync(pub, 'utf8')).toBe(double.publicKey.export({ type: 'spki', format: 'pem' }))
    const arn = `arn:aws:kms:eu-central-1:123456789012:key/${double.keyId}`
    expect(double.calls).toEqual(['GetPublicKey alias/bundles', `Sign ${arn} (dry)`, `Sign ${arn}`])
    // Nothing of AWS is needed to check it.
    expect((await runShell(['verify', file, '--verify-key', pub])).code).toBe(0)
    const sums = execFileSync('tar', ['xOf', file, 'SHA256SUMS'])
    writeFileSync(at('sums'), sums)
    writeFileSync(at('raw'), Buffer.from(readFileSync(`${file}.sig`, 'utf8'), 'base64'))
    const checked = execFileSync('openssl', [
      'dgst',
      '-sha256',
      '-verify',
      pub,
      '-signature',
      at('raw'),
      at('sums'),
    ])
    expect(checked.toString()).toContain('Verified OK')
  })

  it('signs an export, having been tried before anything is fetched', async () => {
    const double = await kms()
    const args = ['export', at('e.tar'), '--spec', small.spec, '--sign', KEY]
    const { code, stderr } = await runShell(args, { env: { HOME: folder, ...double.environment } })
    expect(code, stderr).toBe(0)
    expect(existsSync(at('e.tar.sig'))).toBe(true)
    const refusing = await kms({ denied: ['Sign'] })
    const before = small.source.requests.length
    const refused = await runShell(['export', at('f.tar'), '--spec', small.spec, '--sign', KEY], {
      env: { HOME: folder, ...refusing.environment },
    })
    expect(refused.code).toBe(3)
    expect(small.source.requests).toHaveLength(before)
  })

  it('that stops signing in the middle leaves a complete bundle and says what is left to do', async () => {
    let signed = 0
    const double = await kms({
      intercept: (operation) => {
        if (operation === 'Sign') signed += 1
        if (operation !== 'Sign' || signed < 2) return undefined
        return { status: 400, body: JSON.stringify({ __type: 'ExpiredTokenException', message: 'expired' }) }
      },
    })
    const args = ['export', at('g.tar'), '--spec', small.spec, '--sign', KEY]
    const { code, stderr } = await runShell(args, { env: { HOME: folder, ...double.environment } })
    expect(stderr).toContain('the bundle is complete, but could not be signed')
    expect(stderr).toContain('then run: ma-bundle sign g.tar --key')
    expect(code).toBe(3)
    expect(Buffer.compare(readFileSync(at('g.tar')), small.bytes)).toBe(0)
  })

  it('is known by its id and its ARN, which tells the region', async () => {
    const double = await kms()
    const arn = `arn:aws:kms:eu-central-1:123456789012`
    for (const key of [double.keyId, `${arn}:key/${double.keyId}`, `${arn}:alias/bundles`]) {
      const { code, stderr } = await signing(bundle(), double, `awskms:///${key}`, {
        AWS_REGION: key.startsWith('arn') ? 'us-east-1' : 'eu-central-1',
      })
      expect(code, stderr).toBe(0)
    }
  })

  it.each([
    ['alias/none', 2, /AWS KMS has no such key[^]*alias\/none in eu-central-1[^]*list-aliases/],
    ['alias/rsa', 2, /of kind RSA_2048; ECC_NIST_P256 is used[^]*create-key/],
    ['alias/p384', 2, /of kind ECC_NIST_P384; ECC_NIST_P256 is used/],
    ['alias/symmetric', 2, /the key is not a signing key/],
    ['alias/disabled', 1, /it is disabled or about to be deleted/],
  ])('%s is refused in plain words', async (key, wanted, words) => {
    const file = bundle()
    const { code, stderr } = await signing(file, await kms(), `awskms:///${key}`)
    expect(stderr).toMatch(words)
    expect(stderr.match(/^error: /gm)).toHaveLength(1)
    expect(code).toBe(wanted)
    expect(existsSync(`${file}.sig`)).toBe(false)
  })

  it.each([
    ['awskms://alias/bundles'],
    ['awskms:///bundles'],
    ['awskms:///'],
    ['awskms:///arn:aws:kms:eu-central-1:12:key/x'],
    ['awskms://user:password@kms.example/alias/x'],
  ])('%s is refused before anything is asked', async (key) => {
    const double = await kms()
    const { code, stderr } = await signing(bundle(), double, key)
    expect(stderr).toContain('this is no key in AWS KMS')
    expect(code).toBe(2)
    expect(double.calls).toEqual([])
  })

  it.each<[string, KmsDoubleOptions, Readonly<Record<string, string>>, number, RegExp]>([
    [
      'kms:GetPublicKey is not allowed',
      { denied: ['GetPublicKey'] },
      {},
      3,
      /allow kms:GetPublicKey and kms:Sign on this key/,
    ],
    [
      'kms:Sign is not allowed',
      { denied: ['Sign'] },
      {},
      3,
      /allow kms:GetPublicKey and kms:Sign on this key/,
    ],
    ['the secret is wrong', {}, { AWS_SECRET_ACCESS_KEY: 'other' }, 3, /AWS refuses the signature/],
    ['the key id is unknown', {}, { AWS_ACCESS_KEY_ID: 'AKIAOTHER' }, 3, /does not know these credentials/],
    ['the session is over', { accessKeys: [{ ...EXAMPLE_KEY, expired: true }] }, {}, 3, /have expired/],
    [
      'there are no credentials',
      {},
      { AWS_ACCESS_KEY_ID: '', AWS_EC2_METADATA_DISABLED: 'true' },
      3,
      /no usable AWS credentials/,
    ],
    ['there is no region', {}, { AWS_REGION: '' }, 2, /set AWS_REGION, or name the key by its ARN/],
    [
      'nothing answers',
      {},
      { AWS_ENDPOINT_URL_KMS: 'http://127.0.0.1:1' },
      4,
      /interface endpoint kms of eu-central-1/,
    ],
    ['the clock is off', { skewSeconds: 3600 }, {}, 3, /compare the clock of this machine/],
    ['a page answers', { intercept: () => ({ status: 200, body: '<html>' }) }, {}, 4, /is not AWS/],
    [
      'what answers signs something else',
      {
        intercept: (operation) =>
          operation === 'Sign' ? { status: 200, body: JSON.stringify({ Signature: 'AAAA' }) } : undefined,
      },
      {},
      5,
      /no signature of this bundle/,
    ],
  ])('when %s, that is said', async (_, options, env, wanted, words) => {
    const file = bundle()
    const { code, stderr } = await signing(file, await kms(options), KEY, env)
    expect(stderr).toMatch(words)
    expect(stderr.match(/^error: /gm)).toHaveLength(1)
    expect(code).toBe(wanted)
    expect(existsSync(`${file}.sig`)).toBe(false)
  })

  it('verifies nothing itself: there a file is asked for', async () => {
    const { code, stderr } = await runShell(['verify', small.file, '--verify-key', KEY])
    expect(stderr).toContain('--public-key-out pub.pem')
    expect(code).toBe(2)
  })

  it('of another house is refused', async () => {
    const { code, stderr } = await runShell(['sign', small.file, '--key', 'gcpkms://projects/x'])
    expect(stderr).toContain('keys of gcpkms:// are not known here')
    expect(code).toBe(2)
  })

  it('behind a host of its own is asked for there, over TLS alone', async () => {
    const double = await kms()
    const plain = createServer((_, response) => response.end('{}'))
    await new Promise<void>((resolve) => {
      plain.listen(0, '127.0.0.1', resolve)
    })
    const { port } = plain.address() as AddressInfo
    const { code, stderr } = await signing(bundle(), double, `awskms://127.0.0.1:${port}/alias/bundles`)
    expect(code).toBe(4)
    expect(stderr).toContain('does not speak TLS on that port')
    expect(stderr).toContain(
      `name the key as awskms:///<key> and set AWS_ENDPOINT_URL_KMS=http://127.0.0.1:${port}`,
    )
    expect(stderr).not.toContain('--insecure-registry')
    expect(double.calls).toEqual([])
    plain.close()
  })
})
