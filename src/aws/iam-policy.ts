import { actionsFor, type ActionUse } from './ecr/actions.ts'
import type { EcrHost } from './host.ts'
import type { S3Location } from './s3/location.ts'

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html */
export interface Policy {
  readonly Version: '2012-10-17'
  readonly Statement: readonly Statement[]
}

export interface Statement {
  readonly Sid: string
  readonly Effect: 'Allow'
  readonly Principal?: '*'
  readonly Action: readonly string[]
  readonly Resource: readonly string[]
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

/** What an import uses beyond pushing into repositories; each asks for a few permissions more. */
export interface ImportFeatures {
  /** False where another team creates the repositories. */
  readonly createRepositories?: boolean
  readonly tags?: boolean
  readonly lifecyclePolicy?: boolean
  readonly repositoryPolicy?: boolean
  /** Changes repositories that exist. */
  readonly applySettings?: boolean
  /** ARN of the key; `true` when only its alias or id is known. */
  readonly kmsKey?: string | true
  /** To read the setting, and to take layers over from other repositories of the prefixes. */
  readonly blobMounting?: boolean
  /** `verify --registry`: reading back, listing what is extra. */
  readonly verify?: boolean
}

/** Who the policy is for; `node` is the role of the machines that pull. */
export const POLICY_USES = ['import', 'export', 'rehearse', 'check', 'prune', 'node'] as const
export type PolicyUse = (typeof POLICY_USES)[number]

export interface PolicyOptions {
  readonly for: PolicyUse
  readonly host: EcrHost
  /** Of image repositories; empty for all repositories of the registry. */
  readonly prefix: string
  /** More paths that images land below. */
  readonly more?: readonly string[]
  /** Of chart repositories. */
  readonly chartPrefix: string
  /** Where the bundle lies, when that is in S3. */
  readonly bundle?: S3Location
  /** ARN of the key that it is encrypted with; `true` when only its alias or id is known. */
  readonly bundleKey?: string | true
  readonly features?: ImportFeatures
}

/**
 * The least that an import into a registry, or an export from it, has to be allowed.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html
 */
export function iamPolicy(options: PolicyOptions): Policy {
  const { host, features = {} } = options
  const login = allow('Login', actionsFor('login'), ['*'])
  const repositories = repositoriesOf(options)
  if (options.for === 'export')
    return policy([login, allow('Pull', actionsFor('export'), repositories), ...bundleStatements(options)])
  if (options.for === 'rehearse' || options.for === 'check' || options.for === 'node')
    return policy([login, allow('Pull', actionsFor('pull'), repositories)])
  if (options.for === 'prune') {
    return policy([
      login,
      allow('Find', actionsFor('find'), ['*']),
      allow('Prune', actionsFor('prune'), repositories),
    ])
  }
  const { createRepositories = true, blobMounting = true, verify = true } = features
  const statements = [
    login,
    allow('Push', actionsFor('push'), repositories),
    allow('Repositories', actionsFor(...setUpOf(features, createRepositories)), repositories),
  ]
  if (verify || blobMounting) {
    const read = actionsFor(
      ...(verify ? ['verify' as const] : []),
      ...(blobMounting ? ['mount' as const] : []),
    )
    statements.push(allow(verify ? 'Verify' : 'Mount', read, repositories))
  }
  if (blobMounting) statements.push(allow('BlobMounting', actionsFor('account settings'), ['*']))
  if (features.kmsKey !== undefined) statements.push(useOfKey(host, features.kmsKey))
  return policy([...statements, ...bundleStatements(options)])
}

/** The object and those that ma-bundle puts beside it: `.lock.json`, `.sig`. */
export function bundleArns({ partition }: Pick<EcrHost, 'partition'>, { bucket, key }: S3Location): string[] {
  const object = bucket.startsWith('arn:')
    ? `${bucket}/object/${key}`
    : `arn:${partition.id}:s3:::${bucket}/${key}`
  return [object, `${object}.*`]
}

// --- internal ---

/** Whoever makes a repository, or changes one that exists, sets it up; everybody else only compares. */
function setUpOf(features: ImportFeatures, create: boolean): readonly ActionUse[] {
  const { tags, lifecyclePolicy, repositoryPolicy, applySettings = false } = features
  const sets = create || applySettings
  return [
    'look',
    ...(create ? ['create' as const] : []),
    ...(tags === true ? ['tags' as const] : []),
    ...(lifecyclePolicy === true ? ['lifecycle policy' as const] : []),
    ...(lifecyclePolicy === true && sets ? ['set lifecycle policy' as const] : []),
    ...(repositoryPolicy === true ? ['repository policy' as const] : []),
    ...(repositoryPolicy === true && sets ? ['set repository policy' as const] : []),
    ...(applySettings ? ['apply settings' as const] : []),
  ]
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions */
function bundleStatements({ for: use, host, bundle, bundleKey }: PolicyOptions): readonly Statement[] {
  if (bundle === undefined) return []
  const objects = bundleArns(host, bundle)
  const { id } = host.partition
  const bucket = bundle.bucket.startsWith('arn:') ? bundle.bucket : `arn:${id}:s3:::${bundle.bucket}`
  const isExport = use === 'export'
  // Without it S3 says of an object that is not there what it says of one that may not be read: no run would be the first.
  const list = allow('FindBundle', ['s3:ListBucket'], [bucket])
  const statements = isExport
    ? // An unfinished export keeps a record beside the object, which goes when it is whole.
      [
        list,
        allow('WriteBundle', WRITE, objects),
        allow('ForgetRecord', ['s3:DeleteObject'], objects.slice(1)),
      ]
    : [allow('ReadBundle', ['s3:GetObject'], objects)]
  if (bundleKey === undefined) return statements
  // What is uploaded in parts is decrypted, too, when S3 puts it together.
  const actions = ['kms:Decrypt', ...(isExport ? ['kms:GenerateDataKey'] : [])]
  const arn = bundleKey === true ? `arn:${id}:kms:*:*:key/*` : bundleKey
  const key = {
    ...allow('BundleKey', actions, [arn]),
    Condition: { StringLike: { 'kms:ViaService': 's3.*' } },
  }
  return [key, ...statements]
}

const WRITE = ['s3:AbortMultipartUpload', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:PutObject']

const policy = (Statement: readonly Statement[]): Policy => ({ Version: '2012-10-17', Statement })

const allow = (Sid: string, Action: readonly string[], Resource: readonly string[]): Statement => ({
  Sid,
  Effect: 'Allow',
  Action: Action.toSorted(),
  Resource,
})

function repositoriesOf({ host, prefix, chartPrefix, more = [] }: PolicyOptions): string[] {
  const base = `arn:${host.partition.id}:ecr:${host.region}:${host.account}:repository/`
  const inside = (path: string): string => {
    const bare = path.replaceAll(/^\/+|\/+$/g, '')
    return bare === '' ? `${base}*` : `${base}${bare}/*`
  }
  // What is mapped may be the repository itself.
  const mapped = more.flatMap((path) => (path === '' ? [inside(path)] : [`${base}${path}`, inside(path)]))
  const all = [...new Set([inside(prefix), inside(chartPrefix), ...mapped])]
  // One that covers the whole registry covers the other.
  return all.includes(`${base}*`) ? [`${base}*`] : all
}

/** https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html */
function useOfKey({ partition, region, account }: EcrHost, key: string | true): Statement {
  const arn =
    key === true || !key.startsWith('arn:') ? `arn:${partition.id}:kms:${region}:${account}:key/*` : key
  return {
    ...allow('EncryptionKey', ['kms:CreateGrant', 'kms:DescribeKey', 'kms:RetireGrant'], [arn]),
    Condition: { StringEquals: { 'kms:ViaService': `ecr.${region}.${partition.dnsSuffix}` } },
  }
}
