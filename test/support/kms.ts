import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EcrError } from './ecr/errors.ts'
import type { Call } from './ecr/http.ts'
import { createSignatures, EXAMPLE_KEY, type AccessKey } from './ecr/signature.ts'

export interface KmsDoubleOptions {
  readonly accessKeys?: readonly AccessKey[]
  /** What these credentials may not do, by operation. */
  readonly denied?: readonly string[]
  /** How far its clock runs ahead of this machine's. */
  readonly skewSeconds?: number
  /** Answers instead, when it says so. */
  readonly intercept?: (
    operation: string,
    headers: IncomingMessage['headers'],
  ) => { status: number; body: string } | undefined
}

/** AWS KMS as far as signing needs it, on loopback: keys of its own, signatures of requests checked as AWS does. */
export interface KmsDouble {
  readonly endpoint: string
  readonly environment: Readonly<Record<string, string>>
  /** The P-256 key of `alias/bundles`. */
  readonly publicKey: KeyObject
  readonly keyId: string
  /** `Sign alias/bundles` of every call, dry ones marked, in order. */
  readonly calls: string[]
  stop(): Promise<void>
}

const REGION = 'eu-central-1'
const ACCOUNT = '123456789012'

export async function startKms(options: KmsDoubleOptions = {}): Promise<KmsDouble> {
  const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keys = new Map<string, Key>([
    ['alias/bundles', { id: randomUUID(), spec: 'ECC_NIST_P256', ...p256 }],
    [
      'alias/p384',
      { id: randomUUID(), spec: 'ECC_NIST_P384', ...generateKeyPairSync('ec', { namedCurve: 'P-384' }) },
    ],
    [
      'alias/rsa',
      { id: randomUUID(), spec: 'RSA_2048', ...generateKeyPairSync('rsa', { modulusLength: 2048 }) },
    ],
    ['alias/disabled', { id: randomUUID(), spec: 'ECC_NIST_P256', disabled: true, ...p256 }],
    ['alias/symmetric', { id: randomUUID(), spec: 'SYMMETRIC_DEFAULT' }],
  ])
  const signatures = createSignatures(
    {
      partition: 'aws',
      account: ACCOUNT,
      region: REGION,
      now: () => Date.now() + (options.skewSeconds ?? 0) * 1000,
    },
    options.accessKeys,
  )
  const calls: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { status, body } = answerTo(request, Buffer.concat(chunks))
      response.writeHead(status, {
        'content-type': 'application/x-amz-json-1.1',
        'content-length': Buffer.byteLength(body),
      })
      response.end(body)
    })
  })

  function answerTo(request: IncomingMessage, body: Buffer): { status: number; body: string } {
    const operation = /^TrentService\.(\w+)$/.exec(String(request.headers['x-amz-target']))?.[1] ?? ''
    const intercepted = options.intercept?.(operation, request.headers)
    if (intercepted !== undefined) return intercepted
    try {
      const url = new URL(`http://${request.headers.host}${request.url}`)
      const call = { method: request.method ?? '', url, headers: request.headers }
      const { principal } = signatures.verify(call as Call, body, 'kms')
      const input = JSON.parse(body.toString()) as Input
      calls.push(`${operation} ${input.KeyId}${input.DryRun === true ? ' (dry)' : ''}`)
      return { status: 200, body: JSON.stringify(run(operation, input, principal.arn)) }
    } catch (error) {
      const type = error instanceof Refusal || error instanceof EcrError ? error.type : 'KMSInternalException'
      const status = type === 'KMSInternalException' ? 500 : type === 'DryRunOperationException' ? 412 : 400
      const message = error instanceof Error ? error.message : ''
      return { status, body: JSON.stringify({ __type: type, message }) }
    }
  }

  function run(operation: string, input: Input, arn: string): unknown {
    const [alias, key] = find(input.KeyId)
    const keyArn = `arn:aws:kms:${REGION}:${ACCOUNT}:key/${key.id}`
    if (options.denied?.includes(operation) === true) {
      const why = `no identity-based policy allows the kms:${operation} action`
      throw new Refusal(
        'AccessDeniedException',
        `User: ${arn} is not authorized to perform: kms:${operation} on resource: ${keyArn} because ${why}`,
      )
    }
    if (key.disabled === true) throw new Refusal('DisabledException', `${keyArn} is disabled.`)
    const { publicKey, privateKey } = key
    if (publicKey === undefined || privateKey === undefined)
      throw new Refusal(
        'UnsupportedOperationException',
        `${keyArn} origin or key spec does not support ${operation} of ${alias}`,
      )
    if (operation === 'GetPublicKey') {
      const der = publicKey.export({ type: 'spki', format: 'der' })
      return { KeyId: keyArn, KeySpec: key.spec, KeyUsage: 'SIGN_VERIFY', PublicKey: der.toString('base64') }
    }
    if (operation !== 'Sign') throw new Refusal('UnknownOperationException', operation)
    const message = Buffer.from(input.Message ?? '', 'base64')
    if (input.MessageType !== 'DIGEST' || input.SigningAlgorithm !== 'ECDSA_SHA_256')
      throw new Refusal(
        'ValidationException',
        `not what is signed here: ${input.MessageType} ${input.SigningAlgorithm}`,
      )
    if (message.length !== 32)
      throw new Refusal('ValidationException', 'Digest is invalid length for algorithm ECDSA_SHA_256.')
    if (input.DryRun === true)
      throw new Refusal(
        'DryRunOperationException',
        'The request would have succeeded, but the DryRun option is set.',
      )
    return {
      KeyId: keyArn,
      SigningAlgorithm: 'ECDSA_SHA_256',
      Signature: signDigest(message, privateKey).toString('base64'),
    }
  }

  function find(keyId: string): readonly [string, Key] {
    for (const [alias, key] of keys) {
      const names = [alias, key.id]
      if (
        names.includes(keyId) ||
        names.some((name) => keyId.endsWith(`:key/${name}`) || keyId.endsWith(`:${name}`))
      )
        return [alias, key]
    }
    throw new Refusal('NotFoundException', `Alias arn:aws:kms:${REGION}:${ACCOUNT}:${keyId} is not found.`)
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const endpoint = `http://127.0.0.1:${port}`
  const { accessKeyId, secretAccessKey } = options.accessKeys?.[0] ?? EXAMPLE_KEY
  return {
    endpoint,
    environment: {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL_KMS: endpoint,
    },
    publicKey: p256.publicKey,
    keyId: keys.get('alias/bundles')?.id ?? '',
    calls,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

// --- internal ---

interface Key {
  readonly id: string
  readonly spec: string
  readonly disabled?: true
  readonly publicKey?: KeyObject
  readonly privateKey?: KeyObject
}

interface Input {
  readonly KeyId: string
  readonly Message?: string
  readonly MessageType?: string
  readonly SigningAlgorithm?: string
  readonly DryRun?: boolean
}

/** Of what is a digest already: node:crypto would hash it once more, openssl takes it as it is. */
function signDigest(digest: Uint8Array, key: KeyObject): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'kms-double-'))
  try {
    const file = join(folder, 'key.pem')
    writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    const { status, stdout, stderr } = spawnSync('openssl', ['pkeyutl', '-sign', '-inkey', file], {
      input: digest,
    })
    if (status !== 0) throw new Error(`openssl pkeyutl: ${stderr.toString()}`)
    return stdout
  } finally {
    rmSync(folder, { recursive: true })
  }
}

class Refusal extends Error {
  constructor(
    readonly type: string,
    message: string,
  ) {
    super(message)
  }
}
