import type { ECR } from '@aws-sdk/client-ecr'

/** What somebody wants to do, and the policy is made for. */
export type ActionUse =
  | 'login'
  | 'push'
  | 'pull'
  /** Reading a registry that is a source: resolving tags too. */
  | 'export'
  /** Looking whether a repository is there, and how it is set up. */
  | 'look'
  | 'create'
  | 'tags'
  | 'lifecycle policy'
  | 'repository policy'
  /** Setting up what `create` made. */
  | 'set lifecycle policy'
  | 'set repository policy'
  /** Changing the settings of repositories that exist. */
  | 'apply settings'
  | 'verify'
  | 'mount'
  | 'account settings'
  | 'find'
  | 'prune'

/** Calls an action where it can do nothing, to learn whether it is allowed. */
export type Probe = (
  api: ECR,
  on: { registryId?: string; repositoryName: string },
  options: { abortSignal?: AbortSignal },
) => Promise<unknown>

export interface EcrAction {
  readonly uses: readonly ActionUse[]
  /** An import gets by without: it reads back, mounts and compares with it. */
  readonly isOptional?: true
  /** Harmless on a repository that does not exist, unless it `makesRepository`. */
  readonly probe?: Probe
  /** Where a creation template says so, the call makes the repository that it names. */
  readonly makesRepository?: true
}

/**
 * Every action of ECR that this program calls, once: what the policies allow, what the doctor tries, and what an import
 * can do without. https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
 */
export const ECR_ACTIONS: Readonly<Record<string, EcrAction>> = {
  DescribeRepositories: {
    uses: ['look', 'find'],
    isOptional: true,
    probe: (api, { repositoryName, ...registry }, options) =>
      api.describeRepositories({ ...registry, repositoryNames: [repositoryName] }, options),
  },
  BatchCheckLayerAvailability: {
    uses: ['push', 'pull', 'export'],
    probe: (api, on, options) => api.batchCheckLayerAvailability({ ...on, layerDigests: [DIGEST] }, options),
  },
  BatchGetImage: {
    uses: ['push', 'pull', 'export', 'prune'],
    probe: (api, on, options) => api.batchGetImage({ ...on, imageIds: [{ imageDigest: DIGEST }] }, options),
  },
  GetDownloadUrlForLayer: {
    uses: ['pull', 'export', 'verify', 'mount'],
    isOptional: true,
    probe: (api, on, options) => api.getDownloadUrlForLayer({ ...on, layerDigest: DIGEST }, options),
  },
  ListImages: {
    uses: ['export', 'verify', 'apply settings'],
    isOptional: true,
    probe: (api, on, options) => api.listImages({ ...on, maxResults: 1 }, options),
  },
  UploadLayerPart: {
    uses: ['push'],
    probe: (api, on, options) =>
      api.uploadLayerPart(
        { ...on, uploadId: UPLOAD, partFirstByte: 0, partLastByte: 0, layerPartBlob: new Uint8Array(1) },
        options,
      ),
  },
  CompleteLayerUpload: {
    uses: ['push'],
    probe: (api, on, options) =>
      api.completeLayerUpload({ ...on, uploadId: UPLOAD, layerDigests: [DIGEST] }, options),
  },
  InitiateLayerUpload: {
    uses: ['push'],
    makesRepository: true,
    probe: (api, on, options) => api.initiateLayerUpload(on, options),
  },
  PutImage: {
    uses: ['push'],
    makesRepository: true,
    probe: (api, on, options) =>
      api.putImage({ ...on, imageManifest: MANIFEST, imageTag: 'doctor' }, options),
  },
  BatchDeleteImage: { uses: ['prune'] },
  CreateRepository: { uses: ['create'] },
  DeleteRepository: { uses: ['prune'] },
  DescribeImages: { uses: ['prune'] },
  GetAccountSetting: { uses: ['account settings'] },
  GetAuthorizationToken: { uses: ['login'] },
  GetLifecyclePolicy: { uses: ['lifecycle policy'] },
  GetRepositoryPolicy: { uses: ['repository policy'] },
  ListTagsForResource: { uses: ['tags', 'prune'] },
  PutImageScanningConfiguration: { uses: ['apply settings'] },
  PutImageTagMutability: { uses: ['apply settings'] },
  PutLifecyclePolicy: { uses: ['set lifecycle policy'] },
  SetRepositoryPolicy: { uses: ['set repository policy'] },
  TagResource: { uses: ['create', 'apply settings'] },
}

/** As IAM names them, for all of these uses together. */
export const actionsFor = (...uses: readonly ActionUse[]): string[] =>
  Object.entries(ECR_ACTIONS)
    .filter(([, action]) => action.uses.some((use) => uses.includes(use)))
    .map(([name]) => `ecr:${name}`)

/** Whether an import gets by without this permission; `ecr:ListImages`. */
export const isOptionalAction = (permission: string): boolean =>
  ECR_ACTIONS[permission.replace(/^ecr:/, '')]?.isOptional === true

// --- internal ---

const UPLOAD = '00000000-0000-0000-0000-000000000000'

const DIGEST = `sha256:${'0'.repeat(64)}`

const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: DIGEST, size: 2 },
  layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: DIGEST, size: 2 }],
})
