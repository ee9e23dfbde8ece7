import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Digest } from '../../../src/oci/digest.ts'
import { charger } from './access.ts'
import { createCertificate } from './certificate.ts'
import { controlPlane } from './control-plane.ts'
import { dataPlane } from './data-plane.ts'
import { downloads, presign } from './downloads.ts'
import { createFaults, type Faults } from './faults.ts'
import { listen, type Door, type Listener } from './listener.ts'
import type { Input } from './input.ts'
import { createLog, type RequestLog } from './log.ts'
import { createQuotas } from './quotas.ts'
import { collectGarbage, partitionOf, type Registry, type Repository } from './registry.ts'
import { createRepository } from './repositories.ts'
import { createSignatures, EXAMPLE_KEY } from './signature.ts'
import { diskStore, memoryStore } from './storage.ts'
import { createTokens } from './tokens.ts'

import type { ApiAction, EcrOptions } from './options.ts'

export type { ApiAction, EcrOptions } from './options.ts'

/** A running double of one ECR registry: three origins on one host. */
export interface Ecr {
  /** `host:port` of the OCI door (dkr.ecr). */
  readonly registry: string
  /** URL of the JSON API (api.ecr), which answers for STS too. */
  readonly endpoint: string
  /** URL of the origin that blob downloads are redirected to (S3). */
  readonly downloadOrigin: string
  readonly account: string
  readonly region: string
  /** PEM of the authority behind all three; empty without TLS. */
  readonly ca: string
  /** The same as a file alone in its directory, which serves as skopeo's `--dest-cert-dir`. */
  readonly caFile: string
  /** What a child process needs in its environment to find and use this registry's API. */
  readonly environment: Readonly<Record<string, string>>
  readonly log: RequestLog
  readonly faults: Faults
  /** A token as GetAuthorizationToken would give it: base64 of `AWS:<password>`. */
  token(): string
  repositories(): readonly Repository[]
  repository(name: string): Repository | undefined
  /** By the members of CreateRepository, without a call to the API. */
  createRepository(repositoryName: string, settings?: Input): Repository
  /** All that is tagged: `repository:tag` to digest. */
  tags(): Readonly<Record<string, Digest>>
  /** IAM allows from now on what it denied to everybody. */
  allow(action: ApiAction): void
  /** Moves the server's clock. */
  advance(seconds: number): void
  /** Drops blobs that no manifest names, as ECR may at any time; answers how many. */
  collectGarbage(): number
  stop(): Promise<void>
}

/** Starts on free ports of loopback, and prints nothing. */
export async function startEcr(options: EcrOptions = {}): Promise<Ecr> {
  const { account = '123456789012', region = 'eu-central-1', host = '127.0.0.1' } = options
  const scheme = options.tls === false ? 'http' : 'https'
  let skewMs = (options.clockSkewSeconds ?? 0) * 1000
  const addresses = { dkr: '', api: '', s3: '' }
  const now = () => Date.now() + skewMs
  const s3 = () => options.downloadOrigin ?? `${scheme}://${otherName(addresses.s3)}`
  const registry: Registry = {
    account,
    region,
    partition: partitionOf(region).name,
    address: () => addresses.dkr,
    scheme,
    now,
    createOnPush: options.createOnPush ?? false,
    blobs: options.dir === undefined ? memoryStore() : diskStore(options.dir),
    repositories: new Map(),
    uploads: new Map(),
    settings: new Map([['BLOB_MOUNTING', options.blobMounting === true ? 'ENABLED' : 'DISABLED']]),
    downloadUrl: (digest) => presign(s3(), region, digest, now(), options.downloadSeconds ?? 3600),
  }
  const denied = new Set(options.denied)
  const log = createLog()
  const faults = createFaults(options.faults)
  const tokens = createTokens(registry, options.tokenSeconds ?? 43_200)
  const keys = options.accessKeys ?? [EXAMPLE_KEY]
  const signatures = createSignatures(registry, keys, denied)
  const charge = charger(registry, createQuotas(options.quotas))
  const certificate =
    scheme === 'http' ? undefined : createCertificate(hostNames(account, region), ['127.0.0.1', '::1', host])
  const listeners: Listener[] = []
  const open = async (door: Door, port = 0): Promise<string> => {
    const latencyMs = options.latencyMs ?? 0
    const listener = await listen(door, { tls: certificate, host, port, log, faults, latencyMs, now })
    listeners.push(listener)
    return listener.address
  }
  const shared = { registry, tokens, signatures, charge, keys }
  // Another name than the registry's, as at AWS: Go's HTTP client keeps Authorization on a redirect to another port of
  // the same name, and S3 refuses it.
  addresses.s3 = (await open(downloads(registry))).replace('127.0.0.1:', 'localhost:')
  addresses.dkr = await open(
    dataPlane({ ...shared, missingRepository: options.missingRepository ?? 'answer' }),
    options.port,
  )
  addresses.api = await open(controlPlane(shared), options.apiPort)
  const caDir = certificate === undefined ? undefined : mkdtempSync(join(tmpdir(), 'ecr-double-'))
  const caFile = caDir === undefined ? '' : join(caDir, 'ca.crt')
  if (certificate !== undefined) writeFileSync(caFile, certificate.ca)
  const endpoint = `${scheme}://${addresses.api}`
  const [key = EXAMPLE_KEY] = keys
  return {
    registry: addresses.dkr,
    endpoint,
    downloadOrigin: s3(),
    account,
    region,
    ca: certificate?.ca ?? '',
    caFile,
    environment: {
      AWS_ACCESS_KEY_ID: key.accessKeyId,
      AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
      ...(key.sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: key.sessionToken }),
      AWS_REGION: region,
      AWS_ENDPOINT_URL_ECR: endpoint,
      AWS_ENDPOINT_URL_STS: endpoint,
      ...(caFile === '' ? {} : { NODE_EXTRA_CA_CERTS: caFile }),
    },
    log,
    faults,
    token() {
      const principal = signatures.principal(key.accessKeyId)
      if (principal === undefined) throw new Error('no access key to issue a token to')
      return tokens.issue(principal, key.accessKeyId).token
    },
    repositories: () => [...registry.repositories.values()],
    repository: (name) => registry.repositories.get(name),
    createRepository: (repositoryName, settings = {}) =>
      createRepository(registry, { ...settings, repositoryName }),
    tags: () =>
      Object.fromEntries(
        [...registry.repositories.values()].flatMap(({ name, imageTags }) =>
          [...imageTags].map(([tag, digest]) => [`${name}:${tag}`, digest] as const),
        ),
      ),
    allow(action) {
      denied.delete(action)
    },
    advance(seconds) {
      skewMs += seconds * 1000
    },
    collectGarbage: () => collectGarbage(registry),
    async stop() {
      await Promise.all(listeners.map((listener) => listener.stop()))
      for (const upload of registry.uploads.values()) upload.staged.discard()
      if (caDir !== undefined) rmSync(caDir, { recursive: true, force: true })
    },
  }
}

// --- internal ---

/**
 * Another host name for the bucket, as in AWS: Go's clients (helm, oras) ignore the port when they decide whether
 * Authorization may follow a redirect. https://pkg.go.dev/net/http#Client
 */
const otherName = (address: string): string => address.replace(/^127\.0\.0\.1:/, 'localhost:')

/** The real names, for callers that map them here, and loopback's. */
const hostNames = (account: string, region: string): readonly string[] => {
  const { domain } = partitionOf(region)
  const bucket = `prod-${region}-starport-layer-bucket`
  return [
    'localhost',
    ...['dkr.ecr', 'dkr.ecr-fips'].map((service) => `${account}.${service}.${region}.${domain}`),
    ...['dkr-ecr', 'dkr-ecr-fips'].map((service) => `${account}.${service}.${region}.on.aws`),
    ...['api.ecr', 'api.ecr-fips', 'ecr-fips', 'sts', 'sts-fips'].map(
      (name) => `${name}.${region}.${domain}`,
    ),
    `ecr.${region}.api.aws`,
    `${bucket}.s3.${region}.${domain}`,
    `${bucket}.s3.${domain}`,
  ]
}
