import type { Digest } from '../../../src/oci/digest.ts'
import { EcrError } from './errors.ts'
import type { Mutability } from './mutability.ts'
import type { ApiAction } from './options.ts'
import type { BlobStore, Staged } from './storage.ts'

export interface StoredImage {
  readonly digest: Digest
  readonly raw: Uint8Array
  readonly mediaType: string
  readonly artifactType: string | undefined
  readonly annotations: Readonly<Record<string, string>> | undefined
  readonly subject: Digest | undefined
  /** Config and layers, foreign layers left out. */
  readonly blobs: readonly Digest[]
  readonly children: readonly Digest[]
  /** Of layers, or of the manifests of an index; what DescribeImages reports. */
  readonly size: number
  readonly pushedAt: number
}

export interface Repository {
  readonly name: string
  /** Seconds since 1970. */
  readonly createdAt: number
  mutability: Mutability
  scanOnPush: boolean
  readonly encryption: { readonly type: string; readonly key: string | undefined }
  readonly tags: Map<string, string>
  lifecyclePolicy: string | undefined
  policy: string | undefined
  readonly blobs: Set<Digest>
  readonly images: Map<Digest, StoredImage>
  /** Image tag to manifest. */
  readonly imageTags: Map<string, Digest>
}

export interface Upload {
  readonly id: string
  readonly repository: string
  readonly staged: Staged
  readonly parts: number[]
  /** A part is on its way in. */
  busy: boolean
}

export interface Registry {
  readonly account: string
  readonly region: string
  readonly partition: string
  /** Host and port of the OCI door, for names such as `repositoryUri`. */
  readonly address: () => string
  readonly scheme: 'https' | 'http'
  /** Milliseconds since 1970 on the server's clock. */
  readonly now: () => number
  readonly createOnPush: boolean | 'by-service'
  readonly blobs: BlobStore
  readonly repositories: Map<string, Repository>
  readonly uploads: Map<string, Upload>
  readonly settings: Map<string, string>
  readonly downloadUrl: (digest: Digest) => string
}

export const seconds = (registry: Registry): number => registry.now() / 1000

export const repositoryArn = (registry: Registry, name: string): string =>
  `arn:${registry.partition}:ecr:${registry.region}:${registry.account}:repository/${name}`

/** @throws RepositoryNotFoundException */
export function repositoryOf(registry: Registry, name: string): Repository {
  const repository = registry.repositories.get(name)
  if (repository === undefined) throw repositoryNotFound(registry, name)
  return repository
}

export const repositoryNotFound = (registry: Registry, name: string): EcrError =>
  new EcrError(
    'RepositoryNotFoundException',
    `The repository with name '${name}' does not exist in the registry with id '${registry.account}'`,
  )

/** Who calls, and what IAM denies to them. */
export interface Principal {
  readonly arn: string
  readonly denied: ReadonlySet<ApiAction>
}

/** @throws AccessDeniedException with the words of IAM */
export function permit(
  registry: Registry,
  principal: Principal,
  action: ApiAction,
  repository?: string,
): void {
  if (!principal.denied.has(action)) return
  const resource = repository === undefined ? '*' : repositoryArn(registry, repository)
  throw new EcrError(
    'AccessDeniedException',
    `User: ${principal.arn} is not authorized to perform: ecr:${action} on resource: ${resource} because no identity-based policy allows the ecr:${action} action`,
  )
}

/** Drops what no manifest names, as ECR may do at any time; answers how many blobs went. */
export function collectGarbage(registry: Registry): number {
  let dropped = 0
  const gone = new Set<Digest>()
  for (const repository of registry.repositories.values()) {
    const named = new Set([...repository.images.values()].flatMap((image) => image.blobs))
    for (const digest of repository.blobs) {
      if (named.has(digest)) continue
      repository.blobs.delete(digest)
      gone.add(digest)
      dropped += 1
    }
  }
  // Repositories share the bytes.
  for (const { blobs } of registry.repositories.values()) for (const digest of blobs) gone.delete(digest)
  for (const digest of gone) registry.blobs.drop(digest)
  return dropped
}

/** The partition a region lies in: its name in ARNs, and the domain of its hosts. */
export function partitionOf(region: string): { readonly name: string; readonly domain: string } {
  const [, name, domain] = PARTITIONS.find(([prefix]) => region.startsWith(prefix)) ?? COMMERCIAL
  return { name, domain }
}

// --- internal ---

type Partition = readonly [prefix: string, name: string, domain: string]

const COMMERCIAL: Partition = ['', 'aws', 'amazonaws.com']

const PARTITIONS: readonly Partition[] = [
  ['us-gov-', 'aws-us-gov', 'amazonaws.com'],
  ['cn-', 'aws-cn', 'amazonaws.com.cn'],
  ['eusc-', 'aws-eusc', 'amazonaws.eu'],
  ['us-isob-', 'aws-iso-b', 'sc2s.sgov.gov'],
  ['us-isof-', 'aws-iso-f', 'csp.hci.ic.gov'],
  ['eu-isoe-', 'aws-iso-e', 'cloud.adc-e.uk'],
  ['us-iso-', 'aws-iso', 'c2s.ic.gov'],
]
