import type { ECR } from '@aws-sdk/client-ecr'
import { BundleError } from '../../lib/errors.ts'
import type { Ecr } from './client.ts'
import { prefixesMadeOnPush } from './creation-templates.ts'
import { AwsError } from '../errors.ts'

/** Whether this identity may do something below a prefix of the registry. */
export interface Permission {
  /** `ecr:PutImage` */
  readonly action: string
  readonly outcome: 'allowed' | 'denied' | 'not tried'
  /** AWS's own words for a denial; why it was not tried. */
  readonly why?: string
  readonly next?: string
}

/**
 * Tries what an import needs, without leaving anything behind: each call names a repository that does not exist, and
 * IAM decides before ECR notices that. What could still leave something is not tried, and reported as such.
 * @param prefixes paths below which images and charts land
 * @param existing a repository below them, if there is one: more can be tried on it
 */
export async function tryPermissions(
  ecr: Ecr,
  prefixes: readonly string[],
  existing: string | undefined,
): Promise<Permission[]> {
  const absent = prefixes.map((prefix) => (prefix === '' ? ABSENT : `${prefix}/${ABSENT}`))
  const harmless = await Promise.all(
    Object.entries(HARMLESS).map(([action, run]) => tryOn(ecr, action, absent, run)),
  )
  const creating = await createsOnPush(ecr)
  const pushing: Permission[] = []
  for (const [action, run] of Object.entries(PUSHING)) {
    // An image of layers that do not exist is refused by a repository that does; an upload would be begun.
    const names =
      creating === undefined ? absent : action === 'PutImage' && existing !== undefined ? [existing] : []
    pushing.push(
      names.length > 0
        ? await tryOn(ecr, action, names, run)
        : {
            action: `ecr:${action}`,
            outcome: 'not tried',
            ...(creating === undefined ? {} : { why: creating }),
          },
    )
  }
  return [...harmless, ...pushing, await tryCreate(ecr, existing)]
}

// --- internal ---

const ABSENT = 'ma-bundle-doctor-does-not-exist'
const DIGEST = `sha256:${'0'.repeat(64)}`
const UPLOAD = '00000000-0000-0000-0000-000000000000'

type Options = { abortSignal?: AbortSignal }
type Try = (
  api: ECR,
  on: { registryId?: string; repositoryName: string },
  options: Options,
) => Promise<unknown>

/** These need something that exists, and so cannot do anything. */
const HARMLESS: Readonly<Record<string, Try>> = {
  DescribeRepositories: (api, { repositoryName, ...registry }, options) =>
    api.describeRepositories({ ...registry, repositoryNames: [repositoryName] }, options),
  BatchCheckLayerAvailability: (api, on, options) =>
    api.batchCheckLayerAvailability({ ...on, layerDigests: [DIGEST] }, options),
  BatchGetImage: (api, on, options) =>
    api.batchGetImage({ ...on, imageIds: [{ imageDigest: DIGEST }] }, options),
  GetDownloadUrlForLayer: (api, on, options) =>
    api.getDownloadUrlForLayer({ ...on, layerDigest: DIGEST }, options),
  ListImages: (api, on, options) => api.listImages({ ...on, maxResults: 1 }, options),
  UploadLayerPart: (api, on, options) =>
    api.uploadLayerPart(
      { ...on, uploadId: UPLOAD, partFirstByte: 0, partLastByte: 0, layerPartBlob: new Uint8Array(1) },
      options,
    ),
  CompleteLayerUpload: (api, on, options) =>
    api.completeLayerUpload({ ...on, uploadId: UPLOAD, layerDigests: [DIGEST] }, options),
}

/** These make the repository where a creation template says so. */
const PUSHING: Readonly<Record<string, Try>> = {
  InitiateLayerUpload: (api, on, options) => api.initiateLayerUpload(on, options),
  PutImage: (api, on, options) =>
    api.putImage({ ...on, imageManifest: MANIFEST, imageTag: 'doctor' }, options),
}

const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: DIGEST, size: 2 },
  layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: DIGEST, size: 2 }],
})

/** Allowed is what ECR answers with anything but a denial; what never got there is thrown. */
async function tryOn(ecr: Ecr, action: string, names: readonly string[], run: Try): Promise<Permission> {
  for (const repositoryName of names) {
    const denial = await denialOf(() =>
      ecr.call(action, (api, options) => run(api, { ...ecr.registry, repositoryName }, options)),
    )
    if (denial !== undefined) {
      const { message, next } = denial
      return {
        action: `ecr:${action}`,
        outcome: 'denied',
        why: message,
        ...(next === undefined ? {} : { next }),
      }
    }
  }
  return { action: `ecr:${action}`, outcome: 'allowed' }
}

async function denialOf(call: () => Promise<unknown>): Promise<BundleError | undefined> {
  try {
    await call()
    return undefined
  } catch (error) {
    if (!(error instanceof AwsError) || error.kind === 'network' || error.kind === 'cancelled') throw error
    return error.kind === 'auth' ? error : undefined
  }
}

/** Why a push to an absent repository might make it. */
async function createsOnPush(ecr: Ecr): Promise<string | undefined> {
  const prefixes = await prefixesMadeOnPush(ecr)
  if (prefixes === undefined)
    return 'it may not be asked whether a creation template would make a repository of the try'
  const [prefix] = prefixes
  return prefix === undefined
    ? undefined
    : `a creation template (${prefix}) might make a repository of the try`
}

/** On a repository that exists, creation can only be refused. */
async function tryCreate(ecr: Ecr, existing: string | undefined): Promise<Permission> {
  if (existing === undefined) {
    const why = 'there is no repository yet on which it could be tried without making one'
    return { action: 'ecr:CreateRepository', outcome: 'not tried', why }
  }
  return tryOn(ecr, 'CreateRepository', [existing], (api, on, options) => api.createRepository(on, options))
}
