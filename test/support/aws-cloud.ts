import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCertificate } from './ecr/certificate.ts'
import { startNameProxy } from './name-proxy.ts'

/** One call as it arrived: to which name, signed for which region and service, by which key. */
export interface CloudCall {
  readonly host: string
  readonly action: string
  readonly region: string
  readonly key: string
}

/** The APIs of AWS by their real names, behind a proxy that leads every name here. It knows no rules, and keeps a record. */
export interface Cloud {
  /** For `HTTPS_PROXY`. */
  readonly proxy: string
  /** Without it nobody here is trusted. */
  readonly caFile: string
  readonly calls: CloudCall[]
  /** What an API answers in place of its own; by action. */
  readonly instead: Map<string, { readonly status: number; readonly type: string; readonly body: string }>
  stop(): Promise<void>
}

/** @param names all that the certificate is for; a leading `*.` stands for one label */
export async function startCloud(names: readonly string[]): Promise<Cloud> {
  const { ca, key, cert } = createCertificate(names, [])
  const folder = mkdtempSync(join(tmpdir(), 'aws-cloud-'))
  const caFile = join(folder, 'ca.pem')
  writeFileSync(caFile, ca)
  const calls: CloudCall[] = []
  const instead: Cloud['instead'] = new Map()
  const server = createServer({ key, cert }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const call = callOf(request, Buffer.concat(chunks).toString())
      calls.push(call)
      const { status, type, body } = instead.get(call.action) ?? answerTo(call)
      response
        .writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
        .end(body)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  const proxy = await startNameProxy(() => port)
  return {
    proxy: proxy.url,
    caFile,
    calls,
    instead,
    async stop() {
      await proxy.stop()
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
      rmSync(folder, { recursive: true })
    },
  }
}

/** What STS and SSO hand out, so that the next call shows whose credentials it was signed with. */
export const HANDED_OUT: Readonly<Record<string, string>> = {
  AssumeRole: 'ASIAASSUMEDROLE00000',
  AssumeRoleWithWebIdentity: 'ASIAWEBIDENTITY00000',
  GetRoleCredentials: 'ASIASSOSESSION000000',
}

// --- internal ---

const SCOPE = /Credential=(\w+)\/\d+\/([a-z0-9-]+)\//
const PATHS = [
  ['/federation/credentials', 'GetRoleCredentials'],
  ['/token', 'CreateToken'],
] as const
const LATER = new Date(Date.now() + 3_600_000)
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

function callOf({ headers, url = '' }: IncomingMessage, body: string): CloudCall {
  const [, key = '', region = ''] = SCOPE.exec(headers.authorization ?? '') ?? []
  const target = String(headers['x-amz-target'] ?? '').replace(/^.*\./, '')
  const form = /(?:^|&)Action=(\w+)/.exec(body)?.[1]
  const sso = PATHS.find(([path]) => url.startsWith(path))?.[1]
  return { host: headers.host ?? '', action: target || form || sso || 'GetObject', region, key }
}

function answerTo({ action }: CloudCall) {
  const json = (body: object) => ({
    status: 200,
    type: 'application/x-amz-json-1.1',
    body: JSON.stringify(body),
  })
  const xml = (body: string) => ({
    status: 200,
    type: 'text/xml',
    body: `<${action}Response><${action}Result>${body}</${action}Result></${action}Response>`,
  })
  const keys = `<Credentials><AccessKeyId>${HANDED_OUT[action]}</AccessKeyId><SecretAccessKey>handed-out-secret</SecretAccessKey><SessionToken>handed-out-session</SessionToken><Expiration>${LATER.toISOString()}</Expiration></Credentials>`
  const token = { authorizationToken: btoa('AWS:password'), expiresAt: LATER.getTime() / 1000 }
  switch (action) {
    case 'AssumeRole':
    case 'AssumeRoleWithWebIdentity':
      return xml(keys)
    case 'GetCallerIdentity':
      return xml(
        '<Arn>arn:aws:iam::123456789012:user/me</Arn><UserId>me</UserId><Account>123456789012</Account>',
      )
    case 'GetRoleCredentials':
      return json({
        roleCredentials: {
          accessKeyId: HANDED_OUT[action],
          secretAccessKey: 'handed-out-secret',
          sessionToken: 'handed-out-session',
          expiration: LATER.getTime(),
        },
      })
    case 'GetPublicKey':
      return json({
        KeyId: 'key',
        KeySpec: 'ECC_NIST_P256',
        PublicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
      })
    case 'Sign':
      return json({ KeyId: 'key', Signature: '' })
    case 'GetObject':
      return { status: 200, type: 'application/octet-stream', body: 'an object' }
    default:
      // Both APIs of ECR; one gives a list.
      return json({ authorizationData: action === 'GetAuthorizationToken' ? [token] : token })
  }
}
