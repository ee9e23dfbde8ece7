import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprintOf, publicKey, verifySignature } from '../../src/bundle/format/signature.ts'

/** What cosign 3.1.3 wrote for keys that were thrown away: test/setup/cosign.sh makes the like, and has cosign check ours. */
const CONTENT = 'hello  x\n'
const COSIGN = {
  p256: `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEfKaax7wRaZ1r9x5sDrWrDni1LuET
d5txaSjDG3UxpKCMlY0QqLODmLa6ruRbPh0uizEG4cn6PhlNoir7XiaciA==
-----END PUBLIC KEY-----
`,
  ed25519: `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA6fsZB0QCYP+88gfajHWpqzYeyAUUfSJF8u/zjoDNwlk=
-----END PUBLIC KEY-----
`,
} as const
const SIGNED: readonly (readonly [name: string, key: keyof typeof COSIGN, text: string])[] = [
  [
    'a Sigstore bundle of cosign 3, P-256',
    'p256',
    '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"DypeACTTtfXkpsPwo3Gx9C0EnarjQcJ58CDZ5ro7K4U="}},"messageSignature":{"messageDigest":{"algorithm":"SHA2_256","digest":"5alvSXYLxKL7c9O7kKrGtn5tiqNz5sRGvmoxqeAo9H0="},"signature":"MEYCIQDaHNKt76OHbqEN0epaKE/hxrNShaq1uuh66FuNVbgMSAIhALtfYgMd9rek+xU05nmPszoT+fVupXY4QnXIPmJe/X0B"}}',
  ],
  [
    'a Sigstore bundle of cosign 3, Ed25519',
    'ed25519',
    '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"nmpcs7P0QPqDhsL1K7+sxQx/odKjaXNMxh2P0/HttHE="}},"messageSignature":{"messageDigest":{},"signature":"e4bmSNdyBPG87QT2u5EJm9/SDRCawgbgq8Cipu6xWXyYzQ4ab6evXzbUL2iR6NUymYc70vGuVRp+vQ0bPO8tAA=="}}',
  ],
  [
    'the bundle that cosign 2 writes',
    'p256',
    '{"base64Signature":"MEUCIQDm093QQgvdewZjdUQppmBoMxh6C8xNnlEPkU+9MTQ3MgIgdWQfUVY5/HAx1z8nfi2QPBrjpEZawShKqGNAuW4dh6s="}',
  ],
  [
    'a signature of cosign with --output-signature',
    'p256',
    'MEYCIQC7D2X7xmYGm/MkO+fLltAQUIS9cMdia6Sd6Oon5vSy/wIhALMRpaAUxepo/iKWxUp+7+XMz7BK7+ODkSY1aIVsTcUc',
  ],
]

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const refused = /is not of this bundle with this key/

describe.each(SIGNED)('%s', (_, key, text) => {
  const verify = (content: string, signature: Uint8Array, pem: string = COSIGN[key]): void =>
    verifySignature(bytes(content), signature, publicKey(pem, 'key'))

  it('is taken, and for nothing but these bytes and this key', () => {
    verify(CONTENT, bytes(text))
    const other = key === 'p256' ? 'ed25519' : 'p256'
    expect(() => verify('hello  y\n', bytes(text))).toThrow(refused)
    expect(() => verify(CONTENT, bytes(text), COSIGN[other])).toThrow(refused)
  })
})

describe.each(['ed25519', 'p256'])('what openssl signs with %s', (kind) => {
  let folder: string
  let raw: Buffer
  let pem: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'signature-'))
    const openssl = (...args: readonly string[]): void => void execFileSync('openssl', args, { cwd: folder })
    writeFileSync(join(folder, 'SHA256SUMS'), CONTENT)
    if (kind === 'ed25519') openssl('genpkey', '-algorithm', 'ed25519', '-out', 'key.pem')
    else openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'key.pem')
    openssl('pkey', '-in', 'key.pem', '-pubout', '-out', 'pub.pem')
    if (kind === 'ed25519')
      openssl('pkeyutl', '-sign', '-inkey', 'key.pem', '-rawin', '-in', 'SHA256SUMS', '-out', 'raw')
    else openssl('dgst', '-sha256', '-sign', 'key.pem', '-out', 'raw', 'SHA256SUMS')
    openssl('base64', '-in', 'raw', '-out', 'wrapped64')
    execFileSync('bash', ['-c', 'base64 raw > wrapped76'], { cwd: folder })
    raw = readFileSync(join(folder, 'raw'))
    pem = readFileSync(join(folder, 'pub.pem'), 'utf8')
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it.each<[string, () => Uint8Array]>([
    ['as it is', () => raw],
    ['in base64, wrapped as openssl does', () => readFileSync(join(folder, 'wrapped64'))],
    ['in base64, wrapped as base64 does', () => readFileSync(join(folder, 'wrapped76'))],
    ['with the line ends of Windows', () => bytes(`${raw.toString('base64')}\r\n`)],
    ['behind a byte order mark', () => bytes(`\u{feff}${raw.toString('base64')}`)],
  ])('is taken %s', (_, read) => {
    const key = publicKey(pem, 'key')
    verifySignature(bytes(CONTENT), read(), key)
    expect(() => verifySignature(bytes(`${CONTENT} `), read(), key)).toThrow(refused)
  })

  it.each<[string, (text: string) => string]>([
    ['more behind it', (text) => `${text}AAAA`],
    ['other letters', (text) => text.replaceAll(/[A-Z]/g, '*')],
    ['a JSON that holds it elsewhere', (text) => JSON.stringify({ signature: text })],
    ['nothing', () => ''],
  ])('is refused with %s', (_, change) => {
    const signature = bytes(change(raw.toString('base64')))
    expect(() => verifySignature(bytes(CONTENT), signature, publicKey(pem, 'key'))).toThrow(refused)
  })

  it('has the fingerprint that openssl and sha256sum show', () => {
    const shown = execFileSync('bash', ['-c', 'openssl pkey -pubin -in pub.pem -outform DER | sha256sum'], {
      cwd: folder,
    })
    expect(fingerprintOf(publicKey(pem, 'key'))).toBe(`sha256:${shown.toString().slice(0, 64)}`)
  })
})
