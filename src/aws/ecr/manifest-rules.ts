import { isObject, MANIFEST_LIMIT, parseObject } from '../../oci/manifest.ts'
import { DOCKER_CONFIG, HELM_CONFIG, isIndex, isSchema1, OCI_CONFIG } from '../../oci/media-types.ts'
import { isTag } from '../../oci/reference.ts'

/** Something that ECR refuses, found where it can still be helped. */
export interface Finding {
  readonly rule:
    | 'not-json'
    | 'manifest-size'
    | 'schema1'
    | 'media-type-missing'
    | 'media-type-parameters'
    | 'config-annotations'
    | 'no-layers'
    | 'empty-blob'
    | 'layer-size'
    | 'attestation-artifact'
    | 'tag'
  /** What is wrong, with the part it is wrong in. */
  readonly what: string
  /** What to do: one sentence without the final full stop. */
  readonly remedy: string
}

/**
 * Finds what makes ECR answer a manifest with 405, 400 or 500, where other registries take it. Byte-exact copies
 * cannot be repaired on the way, so it has to be known at export. Pure; knows no registry.
 * @param raw as stored, never parsed and written again
 * @param mediaType of the manifest, as its descriptor or the registry says
 */
export function lintForEcr(raw: Uint8Array, mediaType: string): Finding[] {
  const findings: Finding[] = []
  if (raw.length > MANIFEST_LIMIT) {
    findings.push({
      rule: 'manifest-size',
      what: `the manifest has ${raw.length} bytes, ECR takes ${MANIFEST_LIMIT}`,
      remedy: 'choose an image with fewer layers, or with fewer and shorter annotations',
    })
  }
  const manifest = parseObject(raw)
  if (manifest === undefined) {
    const what = 'the manifest is not a JSON object'
    return [...findings, { rule: 'not-json', what, remedy: 'have it published again' }]
  }
  if (isSchema1(mediaType) || manifest['schemaVersion'] === 1) {
    return [
      ...findings,
      {
        rule: 'schema1',
        what: 'the image is stored in Docker schema 1, which has no digest that ECR keeps',
        remedy: 'take a newer tag, or have it pushed again with a current tool',
      },
    ]
  }
  return [...findings, ...lintManifest(manifest, mediaType)]
}

/** The tag, by ECR's rules; a chart version needs its `+` written as `_`. */
export function lintTagForEcr(tag: string): Finding[] {
  if (isTag(tag)) return []
  const remedy = tag.includes('+')
    ? 'write "_" for "+", as Helm does'
    : 'use 1 to 128 letters, digits, . _ and -, and begin with a letter, a digit or _'
  return [{ rule: 'tag', what: `"${tag.slice(0, 150)}" is not a tag`, remedy }]
}

// --- internal ---

type Json = Readonly<Record<string, unknown>>

/** https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html */
const LAYER_LIMIT = 52_000 * 1024 * 1024

const REPUBLISH = 'a copy made with "skopeo copy --format v2s2" (a new digest) is taken'

function* lintManifest(manifest: Json, mediaType: string): Generator<Finding> {
  // https://github.com/containers/image/issues/584. Helm never writes one, and ECR takes its charts:
  // https://github.com/aws/containers-roadmap/issues/308
  if (typeof manifest['mediaType'] !== 'string' && !isChart(manifest)) {
    yield {
      rule: 'media-type-missing',
      what: 'the manifest has no mediaType of its own, which ECR answers with 405 "Invalid JSON syntax"',
      remedy: isImage(manifest)
        ? `take another tag, or have it published again; ${REPUBLISH}`
        : 'have it published again with a current tool, which writes its mediaType',
    }
  }
  yield* lintTypes(manifest)
  const index = isIndex(typeof manifest['mediaType'] === 'string' ? manifest['mediaType'] : mediaType)
  if (!index && !Array.isArray(manifest['manifests'])) yield* lintImage(manifest)
}

/** What skopeo can write in another format; of an artifact, it could only make another one. */
const isImage = ({ config, layers }: Json): boolean =>
  isObject(config) &&
  [OCI_CONFIG, DOCKER_CONFIG].some((type) => type === config['mediaType']) &&
  descriptorsOf(layers).every(
    ({ mediaType }) => typeof mediaType === 'string' && /tar|rootfs/.test(mediaType),
  )

const isChart = ({ config }: Json): boolean => isObject(config) && config['mediaType'] === HELM_CONFIG

function* lintImage(manifest: Json): Generator<Finding> {
  const { config } = manifest
  // https://github.com/goharbor/acceleration-service/issues/353
  if (isObject(config) && config['annotations'] !== undefined) {
    yield {
      rule: 'config-annotations',
      what: 'the config descriptor has annotations, which ECR answers with 405 "Invalid JSON syntax"',
      remedy: 'have it published without them',
    }
  }
  const layers = descriptorsOf(manifest['layers'])
  // https://github.com/aws/containers-roadmap/issues/876
  if (layers.length === 0) {
    yield {
      rule: 'no-layers',
      what: 'the manifest has no layers, and ECR requires at least one',
      remedy:
        'leave it out, or have it published with an empty layer ({} of application/vnd.oci.empty.v1+json)',
    }
  }
  // https://github.com/aws/containers-roadmap/issues/1074
  for (const blob of [...descriptorsOf([config]), ...layers]) {
    if (blob['size'] === 0) {
      yield {
        rule: 'empty-blob',
        what: `${textOf(blob['digest'])} has zero bytes, and ECR cannot store an empty blob`,
        remedy: 'have it published with {} in place of nothing',
      }
    }
    if (typeof blob['size'] === 'number' && blob['size'] > LAYER_LIMIT) {
      yield {
        rule: 'layer-size',
        what: `${textOf(blob['digest'])} has ${blob['size']} bytes, and ECR takes layers of up to 52,000 MiB`,
        remedy: 'have the image built with smaller layers',
      }
    }
  }
  // https://github.com/moby/buildkit/issues/5747
  if (manifest['artifactType'] === 'application/vnd.docker.attestation.manifest.v1+json') {
    yield {
      rule: 'attestation-artifact',
      what: 'it is an attestation that BuildKit wrote as an OCI artifact, which ECR has answered with 405',
      remedy:
        'leave attestations out with --attestations drop; of an image that is named by digest, they stay until it is named by its tag',
    }
  }
}

/** https://github.com/aws/containers-roadmap/issues/2306 */
function* lintTypes(manifest: Json): Generator<Finding> {
  const descriptors = ['config', 'layers', 'manifests', 'subject'].flatMap((key) =>
    descriptorsOf(Array.isArray(manifest[key]) ? manifest[key] : [manifest[key]]),
  )
  const types = [manifest, ...descriptors].flatMap((part) => [part['mediaType'], part['artifactType']])
  for (const type of new Set(types)) {
    if (typeof type === 'string' && type.includes(';')) {
      yield {
        rule: 'media-type-parameters',
        what: `the type "${type.slice(0, 200)}" has parameters, which ECR answers with 405 "Invalid JSON syntax"`,
        remedy:
          'leave this artifact out (signatures and referrers are optional), or have it published without ";"',
      }
    }
  }
}

const descriptorsOf = (value: unknown): readonly Json[] =>
  Array.isArray(value) ? value.filter(isObject) : []

const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 100) : 'a blob')
