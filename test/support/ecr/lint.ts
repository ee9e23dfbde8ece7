import { isDigest, type Digest } from '../../../src/oci/digest.ts'
import {
  bareMediaType,
  HELM_CONFIG,
  isForeignLayer,
  isIndex,
  isManifest,
  isSchema1,
} from '../../../src/oci/media-types.ts'
import { EcrError } from './errors.ts'

/** What ECR takes from a manifest after it found nothing to refuse. */
export interface Linted {
  readonly mediaType: string
  readonly artifactType: string | undefined
  readonly annotations: Readonly<Record<string, string>> | undefined
  readonly subject: Digest | undefined
  readonly blobs: readonly Digest[]
  readonly children: readonly Digest[]
  /** Sum of the sizes that the descriptors declare. */
  readonly size: number
}

const MAX_MANIFEST = 4_194_304

/**
 * Refuses what ECR refuses, most of it as "Invalid JSON syntax".
 * Triggers met in the wild: no mediaType https://github.com/containers/image/issues/584, parameters in media types
 * https://github.com/aws/containers-roadmap/issues/2306, annotations on the config descriptor
 * https://github.com/goharbor/acceleration-service/issues/353, no layers https://github.com/aws/containers-roadmap/issues/876
 * @param declared media type of the Content-Type header, or `imageManifestMediaType`
 * @param explicit the JSON API takes a manifest without mediaType when the call names it (aws/aws-cli#6745). The OCI
 * door takes Helm's, which never has one: https://github.com/aws/containers-roadmap/issues/308
 */
export function lint(raw: Uint8Array, declared: string | undefined, explicit = false): Linted {
  if (raw.length < 1 || raw.length > MAX_MANIFEST)
    throw new EcrError(
      'InvalidParameterException',
      `Invalid parameter at 'imageManifest' failed to satisfy constraint: 'Member must have length between 1 and ${MAX_MANIFEST}'`,
    )
  const manifest = parse(raw)
  const own = manifest['mediaType']
  const type = declared === undefined ? undefined : bareMediaType(declared)
  if (own === undefined && (type === undefined || !(explicit || isChart(manifest)))) throw invalid()
  const mediaType = typeof own === 'string' ? own : (type ?? '')
  if (!isManifest(mediaType)) throw invalid()
  if (type !== undefined && type !== mediaType) throw invalid()
  if (isSchema1(mediaType)) throw invalid()
  if (manifest['schemaVersion'] !== 2) throw invalid()
  const artifactType = optional(manifest['artifactType'], checkMediaType)
  const annotations = optional(manifest['annotations'], checkAnnotations)
  const subject = optional(manifest['subject'], checkDescriptor)?.digest
  if (isIndex(mediaType)) {
    const children = list(manifest['manifests']).map(checkDescriptor)
    return {
      mediaType,
      artifactType,
      annotations,
      subject,
      blobs: [],
      children: children.map((child) => child.digest),
      size: sum(children),
    }
  }
  const config = checkDescriptor(manifest['config'])
  if (config.annotated) throw invalid()
  const layers = list(manifest['layers']).map(checkDescriptor)
  if (layers.length === 0) throw invalid('Image has to have at least 1 layer')
  const held = layers.filter((layer) => !isForeignLayer(layer.mediaType))
  return {
    mediaType,
    artifactType: artifactType ?? config.mediaType,
    annotations,
    subject,
    blobs: [config, ...held].map((one) => one.digest),
    children: [],
    size: sum(layers),
  }
}

// --- internal ---

const isChart = ({ config }: Record<string, unknown>): boolean =>
  typeof config === 'object' && config !== null && 'mediaType' in config && config.mediaType === HELM_CONFIG

interface Checked {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  readonly annotated: boolean
}

const invalid = (why = 'Invalid JSON syntax'): EcrError =>
  new EcrError(
    'InvalidManifest',
    `Invalid parameter at 'ImageManifest' failed to satisfy constraint: '${why}'`,
  )

const sum = (descriptors: readonly Checked[]): number =>
  descriptors.reduce((total, one) => total + one.size, 0)

const optional = <T>(value: unknown, check: (value: unknown) => T): T | undefined =>
  value === undefined ? undefined : check(value)

function parse(raw: Uint8Array): Record<string, unknown> {
  try {
    return record(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw)))
  } catch (cause) {
    if (cause instanceof EcrError) throw cause
    throw invalid()
  }
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid()
  return value as Record<string, unknown>
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid()
  return value
}

function checkMediaType(value: unknown): string {
  if (
    typeof value !== 'string' ||
    !/^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$/.test(value)
  )
    throw invalid()
  return value
}

function checkAnnotations(value: unknown): Readonly<Record<string, string>> {
  const annotations = record(value)
  if (!Object.values(annotations).every((one) => typeof one === 'string')) throw invalid()
  return annotations as Record<string, string>
}

function checkDescriptor(value: unknown): Checked {
  const descriptor = record(value)
  const { digest, size } = descriptor
  if (!isDigest(digest) || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw invalid()
  optional(descriptor['annotations'], checkAnnotations)
  optional(descriptor['artifactType'], checkMediaType)
  return {
    mediaType: checkMediaType(descriptor['mediaType']),
    digest,
    size,
    annotated: descriptor['annotations'] !== undefined,
  }
}
