import { layerBucket, type Partition } from '../../../aws/partition.ts'
import { HttpError } from '../../../lib/http/error.ts'
import { messageOf, type BundleError, type ErrorKind } from '../../../lib/errors.ts'
import { RegistryError } from '../../../registry/error.ts'

/** Why a pull would fail, in the words of an operator, and what fixes it. */
export interface Cause {
  readonly what: string
  readonly next: string
  readonly kind: ErrorKind
}

/** The registry that was pulled from. */
export interface PullPlace {
  readonly registry: string
  readonly repository: string
  /** Set when it is ECR. */
  readonly ecr?: { readonly region: string; readonly partition: Partition }
}

/**
 * The cause of a failed pull. ECR's rights follow from the request: a manifest takes `ecr:BatchGetImage`, a
 * blob `ecr:GetDownloadUrlForLayer`, and what answers behind the redirect is S3.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/security_iam_id-based-policy-examples.html
 */
export function causeOf(error: BundleError, { registry, ecr }: PullPlace): Cause {
  const what = messageOf(error)
  const { kind } = error
  if (error instanceof HttpError && error.host !== registry && ecr !== undefined && isBucket(error.host)) {
    return {
      what,
      kind,
      next: 'the nodes need an S3 gateway endpoint in the route tables of their subnets; "ma-bundle iam-policy --for vpc-endpoints" prints it',
    }
  }
  if (!(error instanceof RegistryError))
    return { what, kind, next: error.next ?? 'fix what it reports, then rehearse again' }
  const { host, pathname } = new URL(error.url)
  const isBlob = pathname.includes('/blobs/')
  if (error.status === 404) {
    return {
      what: isBlob ? `a layer is missing in the registry: ${what}` : `it is not in the registry: ${what}`,
      kind,
      next: 'push it again: ma-bundle import <bundle> --registry <registry> (--repair where the tag is there already)',
    }
  }
  if (error.status === 403 && ecr !== undefined) {
    if (host !== registry) {
      const bucket = layerBucket(ecr.region)
      return {
        what,
        kind,
        next: `the policy of the S3 endpoint must allow s3:GetObject on arn:${ecr.partition.id}:s3:::${bucket}/*`,
      }
    }
    const action = isBlob ? 'ecr:GetDownloadUrlForLayer' : 'ecr:BatchGetImage'
    return {
      what,
      kind,
      next: `allow ${action} on these repositories to the role of the nodes (its own policy, the repository's, and the endpoint's); "ma-bundle iam-policy --for node" prints all of it`,
    }
  }
  return { what, kind, next: error.next ?? 'fix what it reports, then rehearse again' }
}

// --- internal ---

const isBucket = (host: string): boolean => host.includes('starport-layer-bucket') || /\bs3[.-]/.test(host)
