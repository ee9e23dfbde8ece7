import { BundleError, integrityError } from '../lib/errors.ts'
import { MAX_NESTING, nestsDeeper } from '../lib/nesting.ts'
import type { RawManifest } from './content.ts'
import type { Descriptor } from './descriptor.ts'
import { isDigest } from './digest.ts'
import { bareMediaType, isIndex, isManifest, isSchema1 } from './media-types.ts'
import type { Platform } from './platform.ts'

/** What a manifest or index points at. Manifests have no `manifests`, indexes neither `config` nor `layers`. */
export interface Manifest {
  readonly mediaType: string
  readonly manifests: readonly Descriptor[]
  readonly config?: Descriptor
  readonly layers: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly artifactType?: string
  readonly annotations: Readonly<Record<string, string>>
}

/** Registries refuse more than 4 MiB (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests). */
export const MANIFEST_LIMIT = 4 * 1024 * 1024

/**
 * Reads a copy of the raw bytes; the one place that knows the shapes of manifests.
 * https://github.com/opencontainers/image-spec/blob/main/manifest.md, image-index.md
 * @throws an integrity error for anything that is not a manifest this program can carry whole
 */
export function parseManifest(manifest: RawManifest, where?: string): Manifest {
  const { json, mediaType, fail } = openManifest(manifest, where)
  const list = (key: string): readonly Descriptor[] =>
    itemsOf(json, key, fail).map((item, at) =>
      parseDescriptor(item, () => fail(`"${key}[${at}]" is not a descriptor`)),
    )
  const one = (key: string): Descriptor | undefined =>
    isObject(json[key]) ? parseDescriptor(json[key], () => fail(`"${key}" is not a descriptor`)) : undefined
  const subject = one('subject')
  const common = {
    mediaType,
    annotations: strings(json['annotations']),
    ...(subject === undefined ? {} : { subject }),
    ...(typeof json['artifactType'] === 'string' ? { artifactType: json['artifactType'] } : {}),
  }
  if (isIndex(mediaType)) return { ...common, manifests: list('manifests'), layers: [] }
  const config = one('config')
  if (config === undefined) throw fail('"config" is missing')
  return { ...common, manifests: [], config, layers: list('layers') }
}

/** An entry of an index that cannot be carried. */
export interface OddEntry {
  /** What the index calls it, for people. */
  readonly digest: string
  readonly platform?: Platform
  /** `its digest is not a sha256`. */
  readonly why: string
}

/** The entries of an index: those that can be carried, and the others, which need not be wanted. */
export interface IndexEntries {
  readonly children: readonly Descriptor[]
  readonly odd: readonly OddEntry[]
}

/**
 * Reads an index as far as it can be read: one entry of a kind that is not known says nothing about the others.
 * @throws an integrity error for what is no index
 */
export function parseIndex(index: RawManifest, where?: string): IndexEntries {
  const { json, fail } = openManifest(index, where)
  const children: Descriptor[] = []
  const odd: OddEntry[] = []
  for (const item of itemsOf(json, 'manifests', fail)) {
    const why = oddity(item)
    if (why === undefined) children.push(parseDescriptor(item, () => fail('an entry is not a descriptor')))
    else odd.push({ ...oddEntry(item), why })
  }
  return { children, odd }
}

/** Config first, then layers: everything of a manifest that is a blob. */
export const blobsOf = (manifest: Manifest): readonly Descriptor[] =>
  manifest.config === undefined ? manifest.layers : [manifest.config, ...manifest.layers]

/** The object that `raw` holds as JSON, or undefined; also undefined for what nests deeper than anything real. */
export function parseObject(raw: Uint8Array): Record<string, unknown> | undefined {
  if (nestsDeeper(raw, MAX_NESTING)) return undefined
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw))
    return isObject(json) ? json : undefined
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError)
      return undefined
    throw error
  }
}

/** The media type a manifest has: its own `mediaType`, else what the registry reported, else what its shape implies. */
export function mediaTypeOf(json: Record<string, unknown>, contentType: string): string {
  if (typeof json['mediaType'] === 'string') return json['mediaType']
  const said = bareMediaType(contentType)
  if (isManifest(said)) return said
  if (json['schemaVersion'] === 1) return 'application/vnd.docker.distribution.manifest.v1+json'
  if (Array.isArray(json['manifests'])) return 'application/vnd.oci.image.index.v1+json'
  if (isObject(json['config'])) return 'application/vnd.oci.image.manifest.v1+json'
  return said
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

// --- internal ---

/** @throws for what no registry would take as a manifest */
function openManifest({ descriptor, raw }: RawManifest, where?: string) {
  const fail = (why: string) =>
    integrityError(`manifest ${descriptor.digest}: ${why}`, where === undefined ? {} : { where })
  if (isSchema1(descriptor.mediaType)) {
    throw new BundleError('the image is stored in Docker schema 1, which registries no longer take', {
      kind: 'failed',
      ...(where === undefined ? {} : { where }),
      next: 'rebuild or re-push the image with a current tool, or take a newer tag',
    })
  }
  if (raw.length > MANIFEST_LIMIT) throw fail(`${raw.length} bytes are more than the 4 MiB a registry takes`)
  const json = parseObject(raw)
  if (json === undefined) throw fail('not a JSON object')
  const mediaType = mediaTypeOf(json, descriptor.mediaType)
  if (!isManifest(mediaType)) throw fail(`unknown media type "${mediaType.slice(0, 120)}"`)
  return { json, mediaType, fail }
}

function itemsOf(json: Record<string, unknown>, key: string, fail: (why: string) => Error): unknown[] {
  const value = json[key]
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw fail(`"${key}" is not a list`)
  return value
}

function oddity(item: unknown): string | undefined {
  if (!isObject(item)) return 'it is not a descriptor'
  const { mediaType, digest, size } = item
  if (typeof mediaType !== 'string') return 'it has no media type'
  if (isSchema1(mediaType)) return 'it is stored in Docker schema 1, which registries no longer take'
  if (!isDigest(digest)) return 'its digest is not a sha256, which is all that registries agree on'
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? undefined : 'it has no size'
}

function oddEntry(item: unknown): Omit<OddEntry, 'why'> {
  const { digest, platform } = isObject(item) ? item : {}
  const parsed = parsePlatform(platform)
  return {
    digest: typeof digest === 'string' ? digest.slice(0, 140) : 'an entry without a digest',
    ...(parsed === undefined ? {} : { platform: parsed }),
  }
}

function parseDescriptor(value: unknown, fail: () => Error): Descriptor {
  if (!isObject(value)) throw fail()
  const { mediaType, digest, size, platform, artifactType, annotations, urls } = value
  if (typeof mediaType !== 'string' || !isDigest(digest)) throw fail()
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw fail()
  const parsed = parsePlatform(platform)
  return {
    mediaType,
    digest,
    size,
    ...(parsed === undefined ? {} : { platform: parsed }),
    ...(typeof artifactType === 'string' ? { artifactType } : {}),
    ...(isObject(annotations) ? { annotations: strings(annotations) } : {}),
    ...(Array.isArray(urls) ? { urls: urls.filter((url) => typeof url === 'string') } : {}),
  }
}

function parsePlatform(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined
  const { os, architecture, variant } = value
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined
  const version = value['os.version']
  return {
    os,
    architecture,
    ...(typeof variant === 'string' && variant !== '' ? { variant } : {}),
    ...(typeof version === 'string' ? { 'os.version': version } : {}),
  }
}

function strings(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) return {}
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
