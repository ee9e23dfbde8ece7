import type { FaultPlan } from './faults.ts'
import type { AccessKey } from './signature.ts'

/** Operations of the JSON API; the OCI door is priced, permitted and counted in the same words. */
export type ApiAction =
  | 'AssumeRole'
  | 'BatchCheckLayerAvailability'
  | 'BatchDeleteImage'
  | 'BatchGetImage'
  | 'CompleteLayerUpload'
  | 'CreateRepository'
  | 'DeleteLifecyclePolicy'
  | 'DeleteRepository'
  | 'DeleteRepositoryPolicy'
  | 'DescribeImages'
  | 'DescribeRegistry'
  | 'DescribeRepositories'
  | 'DescribeRepositoryCreationTemplates'
  | 'GetAccountSetting'
  | 'GetAuthorizationToken'
  | 'GetCallerIdentity'
  | 'GetDownloadUrlForLayer'
  | 'GetLifecyclePolicy'
  | 'GetRepositoryPolicy'
  | 'InitiateLayerUpload'
  | 'ListImageReferrers'
  | 'ListImages'
  | 'ListTagsForResource'
  | 'PutAccountSetting'
  | 'PutImage'
  | 'PutImageScanningConfiguration'
  | 'PutImageTagMutability'
  | 'PutLifecyclePolicy'
  | 'SetRepositoryPolicy'
  | 'TagResource'
  | 'UntagResource'
  | 'UploadLayerPart'

export interface EcrOptions {
  /** Twelve digits. */
  readonly account?: string
  readonly region?: string
  /** `false`: plain http, for a quick start on loopback. TLS needs openssl on the PATH. */
  readonly tls?: boolean
  /** Blobs and uploads go here; without it they stay in memory. Repositories always start empty. */
  readonly dir?: string
  /** Life of an authorization token; 12 h by default. */
  readonly tokenSeconds?: number
  /** The account setting BLOB_MOUNTING at the start. */
  readonly blobMounting?: boolean
  /**
   * As if a creation template for ROOT with CREATE_ON_PUSH existed. `by-service`: whoever may push may have it made,
   * also where CreateRepository is denied (by the policy of the endpoint ecr.api, for example).
   */
  readonly createOnPush?: boolean | 'by-service'
  /** Calls per second, over the defaults of AWS; `'none'` lifts them all. */
  readonly quotas?: Partial<Record<ApiAction, number>> | 'none'
  readonly faults?: FaultPlan
  /** Who may sign; one example administrator by default. */
  readonly accessKeys?: readonly AccessKey[]
  /** What IAM denies to everybody. */
  readonly denied?: readonly ApiAction[]
  /** Added to every answer. */
  readonly latencyMs?: number
  /** How far the server's clock runs ahead of this machine's. */
  readonly clockSkewSeconds?: number
  /** What an upload to a missing repository meets: an answer, or the older closed connection. */
  readonly missingRepository?: 'answer' | 'close'
  /** Life of a download URL; 3600 by default. */
  readonly downloadSeconds?: number
  /** Where blob downloads are redirected to, when a proxy maps real names: `https://prod-…s3.amazonaws.com`. */
  readonly downloadOrigin?: string
  /** 127.0.0.1 by default. */
  readonly host?: string
  /** Fixed port of the OCI door; a free one by default. */
  readonly port?: number
  /** Fixed port of the JSON API; a free one by default. */
  readonly apiPort?: number
}
