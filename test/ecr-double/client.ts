import { ECRClient } from '@aws-sdk/client-ecr'
import { digestOf, type Digest } from '../../src/oci/digest.ts'
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { OCI_LAYER_GZIP } from '../support/images.ts'
import type { Ecr } from '../support/ecr/server.ts'
import { EXAMPLE_KEY, type AccessKey } from '../support/ecr/signature.ts'

/** The real SDK against the double, without retries: every answer shows. */
export const sdk = (ecr: Ecr, key: AccessKey = EXAMPLE_KEY, region = ecr.region): ECRClient =>
  new ECRClient({
    region,
    endpoint: ecr.endpoint,
    credentials: {
      accessKeyId: key.accessKeyId,
      secretAccessKey: key.secretAccessKey,
      ...(key.sessionToken === undefined ? {} : { sessionToken: key.sessionToken }),
    },
    maxAttempts: 1,
  })

export interface Ask {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>
  /** A token other than a fresh one; `null` for none. */
  readonly token?: string | null
}

/**
 * One raw request to the OCI door; redirects are not followed. On a connection of its own: when one that was used
 * before closes without an answer, Bun's fetch sends the request again by itself.
 */
export function ask(ecr: Ecr, pathOrUrl: string, { method = 'GET', headers = {}, body, token }: Ask = {}) {
  const base = `${ecr.ca === '' ? 'http' : 'https'}://${ecr.registry}`
  return fetch(new URL(pathOrUrl, base), {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Basic ${token ?? ecr.token()}` }),
      ...headers,
    },
    redirect: 'manual',
    keepalive: false,
    ...(body === undefined ? {} : { body }),
    ...(ecr.ca === '' ? {} : { tls: { ca: ecr.ca } }),
  })
}

/** `status CODE message` of an answer in the OCI error envelope. */
export async function told(response: Response): Promise<string> {
  const { errors } = (await response.json()) as { errors: { code: string; message: string }[] }
  return errors.map(({ code, message }) => `${response.status} ${code} ${message}`).join('\n')
}

export async function session(ecr: Ecr, repository: string): Promise<string> {
  const response = await ask(ecr, `/v2/${repository}/blobs/uploads/`, { method: 'POST' })
  if (response.status !== 202) throw new Error(`no session: ${await told(response)}`)
  return response.headers.get('location') ?? ''
}

export async function pushBlob(
  ecr: Ecr,
  repository: string,
  content: Uint8Array<ArrayBuffer>,
): Promise<Digest> {
  const digest = digestOf(content)
  const response = await ask(ecr, `${await session(ecr, repository)}?digest=${digest}`, {
    method: 'PUT',
    body: content,
  })
  if (response.status !== 201) throw new Error(`blob not taken: ${await told(response)}`)
  return digest
}

export const bytes = (size: number): Uint8Array<ArrayBuffer> => {
  const content = new Uint8Array(size)
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(content.subarray(at, at + 65_536))
  return content
}

export const descriptor = (mediaType: string, content: Uint8Array) => ({
  mediaType,
  digest: digestOf(content),
  size: content.length,
})

export interface Pushed {
  readonly manifest: Record<string, unknown>
  readonly raw: string
  readonly digest: Digest
  readonly layer: Digest
}

/** A small image whose blobs are in the repository; its manifest is not, yet. */
export async function blobsOf(
  ecr: Ecr,
  repository: string,
  over: Record<string, unknown> = {},
): Promise<Pushed> {
  const config = new TextEncoder().encode(
    JSON.stringify({ architecture: 'amd64', os: 'linux', id: crypto.randomUUID() }),
  )
  const layer = bytes(2000)
  await pushBlob(ecr, repository, config)
  await pushBlob(ecr, repository, layer)
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptor(OCI_CONFIG, config),
    layers: [descriptor(OCI_LAYER_GZIP, layer)],
    ...over,
  }
  const raw = JSON.stringify(manifest)
  return { manifest, raw, digest: digestOf(raw), layer: digestOf(layer) }
}

export const putManifest = (
  ecr: Ecr,
  repository: string,
  reference: string,
  raw: string,
  type = OCI_MANIFEST,
) =>
  ask(ecr, `/v2/${repository}/manifests/${reference}`, {
    method: 'PUT',
    headers: { 'content-type': type },
    body: raw,
  })

/** A small image, complete, under a tag. */
export async function pushImage(
  ecr: Ecr,
  repository: string,
  tag: string,
  over: Record<string, unknown> = {},
): Promise<Pushed> {
  const pushed = await blobsOf(ecr, repository, over)
  const response = await putManifest(ecr, repository, tag, pushed.raw)
  if (response.status !== 201) throw new Error(`manifest not taken: ${await told(response)}`)
  return pushed
}

export const indexOf = (children: readonly { readonly raw: string }[]): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: children.map(({ raw }) => descriptor(OCI_MANIFEST, new TextEncoder().encode(raw))),
  })

/** The value, or a failure that says what is missing. */
export function present<T>(value: T | undefined | null, what = 'a value'): T {
  if (value === undefined || value === null) throw new Error(`${what} is missing`)
  return value
}

/** `Name: message` of the refusal that must come. */
export async function refusal(answer: Promise<unknown>): Promise<string> {
  try {
    await answer
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  }
  throw new Error('it was not refused')
}

/** A blob, by way of the redirect. */
export async function download(
  ecr: Ecr,
  repository: string,
  digest: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const redirect = await ask(ecr, `/v2/${repository}/blobs/${digest}`)
  const tls = ecr.ca === '' ? {} : { tls: { ca: ecr.ca } }
  return (await fetch(present(redirect.headers.get('location'), 'the redirect'), tls)).bytes()
}
