/** A partition of AWS: its own accounts, names and ARNs. */
export interface Partition {
  /** As it stands in ARNs. */
  readonly id: string
  /** Which regions are in it, by name. */
  readonly regions: RegExp
  /** Under which services and registries answer (IPv4). */
  readonly dnsSuffix: string
  /** Under which service APIs answer in IPv4 and IPv6. */
  readonly dualStackSuffix: string
  /** Under which registries answer in IPv4 and IPv6, where ECR offers that. */
  readonly registryDualStackSuffix?: string
  /** Before `.<region>.ecr.api` in the name of a VPC endpoint service; other services may have another one. */
  readonly vpcEndpointPrefix: string
}

/** The one that everybody has. */
export const COMMERCIAL: Partition = {
  id: 'aws',
  regions: /^(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+$/,
  dnsSuffix: 'amazonaws.com',
  dualStackSuffix: 'api.aws',
  registryDualStackSuffix: 'on.aws',
  vpcEndpointPrefix: 'com.amazonaws',
}

/**
 * All partitions. Suffixes: partitions of the AWS SDK
 * (https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json); registry names:
 * https://github.com/awslabs/amazon-ecr-credential-helper (api/client.go);
 * endpoint services: https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
 */
export const PARTITIONS: readonly Partition[] = [
  COMMERCIAL,
  {
    id: 'aws-us-gov',
    regions: /^us-gov-\w+-\d+$/,
    dnsSuffix: 'amazonaws.com',
    dualStackSuffix: 'api.aws',
    registryDualStackSuffix: 'on.aws',
    vpcEndpointPrefix: 'com.amazonaws',
  },
  {
    id: 'aws-cn',
    regions: /^cn-\w+-\d+$/,
    dnsSuffix: 'amazonaws.com.cn',
    dualStackSuffix: 'api.amazonwebservices.com.cn',
    registryDualStackSuffix: 'on.amazonwebservices.com.cn',
    vpcEndpointPrefix: 'cn.com.amazonaws',
  },
  {
    id: 'aws-eusc',
    regions: /^eusc-\w+-\w+-\d+$/,
    dnsSuffix: 'amazonaws.eu',
    dualStackSuffix: 'api.amazonwebservices.eu',
    vpcEndpointPrefix: 'eu.amazonaws',
  },
  {
    id: 'aws-iso',
    regions: /^us-iso-\w+-\d+$/,
    dnsSuffix: 'c2s.ic.gov',
    dualStackSuffix: 'api.aws.ic.gov',
    vpcEndpointPrefix: 'gov.ic.c2s',
  },
  {
    id: 'aws-iso-b',
    regions: /^us-isob-\w+-\d+$/,
    dnsSuffix: 'sc2s.sgov.gov',
    dualStackSuffix: 'api.aws.scloud',
    vpcEndpointPrefix: 'gov.sgov.sc2s',
  },
  {
    id: 'aws-iso-e',
    regions: /^eu-isoe-\w+-\d+$/,
    dnsSuffix: 'cloud.adc-e.uk',
    dualStackSuffix: 'api.cloud-aws.adc-e.uk',
    vpcEndpointPrefix: 'uk.adc-e.cloud',
  },
  {
    id: 'aws-iso-f',
    regions: /^us-isof-\w+-\d+$/,
    dnsSuffix: 'csp.hci.ic.gov',
    dualStackSuffix: 'api.aws.hci.ic.gov',
    vpcEndpointPrefix: 'gov.ic.hci.csp',
  },
]

const REGION = /^[a-z]{2,}(-[a-z]+)+-\d+$/

/**
 * The partition of a region. A region that no partition lists counts as `aws`, as in the SDK, so that a new
 * geography works on its first day; what does not even look like a region has none.
 */
export function partitionOf(region: string): Partition | undefined {
  if (!REGION.test(region)) return undefined
  return PARTITIONS.find(({ regions }) => regions.test(region)) ?? COMMERCIAL
}

/** In which of its variants a service is spoken to. */
export interface ApiVariant {
  readonly fips?: boolean
  /** IPv4 and IPv6. Off by default: only the IPv4 names resolve to every VPC endpoint. */
  readonly dualStack?: boolean
}

/**
 * `https://api.ecr.<region>…`, as the SDK's own endpoint rules name it.
 * https://docs.aws.amazon.com/general/latest/gr/ecr.html
 */
export const ecrApi = (region: string, partition: Partition, variant: ApiVariant = {}): string =>
  apiUrl(variant.dualStack === true ? 'ecr' : 'api.ecr', region, partition, variant)

/** STS of the region. The global `sts.amazonaws.com` cannot be reached from an isolated VPC. */
export function stsApi(region: string, partition: Partition, variant: ApiVariant = {}): string {
  // In GovCloud the ordinary IPv4 endpoints are the FIPS ones.
  const ordinary = partition.id === 'aws-us-gov' && variant.dualStack !== true
  return apiUrl('sts', region, partition, ordinary ? {} : variant)
}

/** KMS of a region: https://docs.aws.amazon.com/general/latest/gr/kms.html */
export const kmsApi = (region: string, partition: Partition, variant: ApiVariant = {}): string =>
  apiUrl('kms', region, partition, variant)

/** https://docs.aws.amazon.com/general/latest/gr/ecr-public.html */
export function ecrPublicApi(region: string, partition: Partition, variant: ApiVariant = {}): string {
  const plainly = variant.dualStack === true && variant.fips !== true
  return apiUrl(plainly ? 'ecr-public' : 'api.ecr-public', region, partition, variant)
}

/**
 * The bucket that pulls of layers are redirected to; the S3 gateway endpoint must let it through.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
 */
export const layerBucket = (region: string): string => `prod-${region}-starport-layer-bucket`

// --- internal ---

const apiUrl = (
  name: string,
  region: string,
  partition: Partition,
  { fips, dualStack }: ApiVariant,
): string =>
  `https://${name}${fips === true ? '-fips' : ''}.${region}.${dualStack === true ? partition.dualStackSuffix : partition.dnsSuffix}`
