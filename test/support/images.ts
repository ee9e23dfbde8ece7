import { gzipSync } from 'node:zlib'
import { Header } from 'tar'
import { digestOf, type Digest } from '../../src/oci/digest.ts'
import * as media from '../../src/oci/media-types.ts'
import { parsePlatform } from '../../src/oci/platform.ts'

export const OCI_LAYER_GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip'
const DOCKER_LAYER_GZIP = 'application/vnd.docker.image.rootfs.diff.tar.gzip'

/** An image or index as bytes, ready to be pushed somewhere. */
export interface BuiltImage {
  readonly mediaType: string
  readonly raw: Uint8Array
  readonly digest: Digest
  readonly blobs: ReadonlyMap<Digest, Uint8Array>
  readonly children: readonly BuiltImage[]
  readonly platform?: string
}

export interface ImageOptions {
  readonly platform?: string
  /** Docker schema 2 instead of OCI. */
  readonly docker?: boolean
  readonly annotations?: Record<string, string>
}

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

/** A layer that really is a gzipped tar, holding the given files. */
export function layerOf(files: Readonly<Record<string, Uint8Array | string>>): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [path, content] of Object.entries(files)) {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
    const block = Buffer.alloc(512)
    new Header({ path, size: bytes.length, mode: 0o644, type: 'File', mtime: new Date(0) }).encode(block, 0)
    parts.push(block, bytes, new Uint8Array((512 - (bytes.length % 512)) % 512))
  }
  return new Uint8Array(gzipSync(Buffer.concat([...parts, new Uint8Array(1024)]), { level: 1 }))
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size)
  const words = new Uint32Array(bytes.buffer, 0, Math.floor(size / 4))
  let state = seed * 2_654_435_761 || 1
  for (let at = 0; at < words.length; at += 1) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[at] = state
  }
  return bytes
}

/** One image of the given layers. */
export function buildImage(layers: readonly Uint8Array[], options: ImageOptions = {}): BuiltImage {
  const { platform = 'linux/amd64', docker = false, annotations } = options
  const config = encode({
    ...parsePlatform(platform),
    config: { Cmd: ['/bin/true'] },
    rootfs: {
      type: 'layers',
      diff_ids: layers.map((layer) => digestOf(Bun.gunzipSync(new Uint8Array(layer)))),
    },
  })
  const mediaType = docker ? media.DOCKER_MANIFEST : media.OCI_MANIFEST
  const raw = encode({
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: docker ? media.DOCKER_CONFIG : media.OCI_CONFIG,
      digest: digestOf(config),
      size: config.length,
    },
    layers: layers.map((layer) => ({
      mediaType: docker ? DOCKER_LAYER_GZIP : OCI_LAYER_GZIP,
      digest: digestOf(layer),
      size: layer.length,
    })),
    ...(annotations === undefined ? {} : { annotations }),
  })
  const blobs = new Map([
    [digestOf(config), config],
    ...layers.map((layer) => [digestOf(layer), layer] as const),
  ])
  return { mediaType, raw, digest: digestOf(raw), blobs, children: [], platform }
}

/** An index (or Docker list) of images. */
export function buildIndex(
  children: readonly BuiltImage[],
  options: { readonly docker?: boolean } = {},
): BuiltImage {
  const mediaType = options.docker === true ? media.DOCKER_LIST : media.OCI_INDEX
  const raw = encode({
    schemaVersion: 2,
    mediaType,
    manifests: children.map((child) => ({
      mediaType: child.mediaType,
      digest: child.digest,
      size: child.raw.length,
      ...(child.platform === undefined ? {} : { platform: parsePlatform(child.platform) }),
    })),
  })
  return { mediaType, raw, digest: digestOf(raw), blobs: new Map(), children }
}

/** Pushes by plain requests, so that what the product does is never checked against itself. */
export async function pushImage(
  base: string,
  repository: string,
  tag: string | undefined,
  image: BuiltImage,
  headers: Record<string, string> = {},
): Promise<void> {
  for (const [digest, content] of image.blobs) await pushBlob(base, repository, digest, content, headers)
  for (const child of image.children) await pushImage(base, repository, undefined, child, headers)
  const response = await fetch(`${base}/v2/${repository}/manifests/${tag ?? image.digest}`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': image.mediaType },
    body: new Uint8Array(image.raw),
  })
  if (response.status !== 201) throw new Error(`PUT manifest: ${response.status} ${await response.text()}`)
}

async function pushBlob(
  base: string,
  repository: string,
  digest: Digest,
  content: Uint8Array,
  headers: Record<string, string>,
): Promise<void> {
  const there = await fetch(`${base}/v2/${repository}/blobs/${digest}`, { method: 'HEAD', headers })
  if (there.status === 200) return
  const start = await fetch(`${base}/v2/${repository}/blobs/uploads/`, { method: 'POST', headers })
  const location = new URL(start.headers.get('location') ?? '', base)
  location.searchParams.set('digest', digest)
  const done = await fetch(location, { method: 'PUT', headers, body: new Uint8Array(content) })
  if (done.status !== 201) throw new Error(`PUT blob: ${done.status} ${await done.text()}`)
}
