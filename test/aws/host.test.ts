import { partition as sdkPartition } from '@aws-sdk/core/client'
import { describe, expect, test } from 'vitest'
import { isPublicEcr, parseEcrHost, whyNotEcr } from '../../src/aws/host.ts'
import { ecrApi, ecrPublicApi, kmsApi, partitionOf, PARTITIONS, stsApi } from '../../src/aws/partition.ts'

describe('parseEcrHost', () => {
  test.each([
    ['123456789012.dkr.ecr.us-east-1.amazonaws.com', 'us-east-1', 'aws', false, false],
    ['123456789012.dkr.ecr.us-gov-west-1.amazonaws.com', 'us-gov-west-1', 'aws-us-gov', false, false],
    ['123456789012.dkr.ecr-fips.us-gov-east-1.amazonaws.com', 'us-gov-east-1', 'aws-us-gov', true, false],
    ['123456789012.dkr-ecr.eu-central-1.on.aws', 'eu-central-1', 'aws', false, true],
    ['123456789012.dkr-ecr-fips.us-gov-east-1.on.aws', 'us-gov-east-1', 'aws-us-gov', true, true],
    ['123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn', 'cn-north-1', 'aws-cn', false, false],
    [
      '123456789012.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn',
      'cn-northwest-1',
      'aws-cn',
      false,
      true,
    ],
    ['123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu', 'eusc-de-east-1', 'aws-eusc', false, false],
    ['123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov', 'us-iso-east-1', 'aws-iso', false, false],
    ['123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov', 'us-isob-east-1', 'aws-iso-b', false, false],
    ['123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk', 'eu-isoe-west-1', 'aws-iso-e', false, false],
    ['123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov', 'us-isof-south-1', 'aws-iso-f', false, false],
    ['123456789012.DKR.ECR.US-EAST-1.AMAZONAWS.COM', 'us-east-1', 'aws', false, false],
    ['123456789012.dkr.ecr.nz-south-1.amazonaws.com', 'nz-south-1', 'aws', false, false],
  ])('%s', (host, region, partition, fips, dualStack) => {
    const parsed = parseEcrHost(host)
    expect(parsed).toMatchObject({ account: '123456789012', region, fips, dualStack })
    expect(parsed?.partition.id).toBe(partition)
    expect(parsed?.host).toBe(host.toLowerCase())
    expect(whyNotEcr(host)).toBeUndefined()
  })

  test.each([
    ['123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.com', 'belongs to another owner'],
    ['12345678901.dkr.ecr.us-east-1.amazonaws.com', 'has 12 digits, "12345678901" has 11'],
    ['1234567890123.dkr.ecr.us-east-1.amazonaws.com', 'has 12 digits'],
    ['my-account.dkr.ecr.us-east-1.amazonaws.com', '"my-account" is not an AWS account'],
    ['123456789012.dkr.ecr.us-east-1.amazonaws.co', 'end in .us-east-1.amazonaws.com'],
    ['123456789012.dkr.ecr.cn-north-1.amazonaws.com', 'end in .cn-north-1.amazonaws.com.cn'],
    ['123456789012.dkr.ecr.us-east-1.amazonaws.com.cn', 'end in .us-east-1.amazonaws.com, not'],
    ['123456789012.dkr.ecr.useast1.amazonaws.com', '"useast1" is not an AWS region'],
    ['123456789012.dkr.ecr.amazonaws.com', 'is not an AWS region'],
    ['123456789012.dkr-ecr.us-iso-east-1.on.aws', 'no dual-stack registry names in aws-iso'],
    ['123456789012.dkr.ecr.us-east-1.amazonaws.com:443', 'bare host name'],
    ['https://123456789012.dkr.ecr.us-east-1.amazonaws.com', 'bare host name'],
    ['api.ecr.us-east-1.amazonaws.com', 'this is the API of ECR'],
    ['123456789012.ecr.us-east-1.amazonaws.com', 'is named <account>.dkr.ecr.<region>.<suffix>'],
    ['evil-123456789012.dkr.ecr.us-east-1.amazonaws.com', 'is not an AWS account'],
    ['vpce-0a-b.dkr.ecr.us-east-1.vpce.amazonaws.com', "VPC endpoint's own name"],
    ['dkr.ecr.us-east-1.amazonaws.com', 'is named <account>.dkr.ecr.<region>.<suffix>'],
  ])('refuses %s and says why', (host, why) => {
    expect(parseEcrHost(host)).toBeUndefined()
    expect(whyNotEcr(host)).toContain(why)
  })

  test.each(['localhost:5000', 'quay.io', 'docker.io', 'public.ecr.aws', 'registry.example.com', ''])(
    'has nothing to say about %s',
    (host) => {
      expect(parseEcrHost(host)).toBeUndefined()
      expect(whyNotEcr(host)).toBeUndefined()
    },
  )
})

test('ECR Public has two names', () => {
  expect(isPublicEcr('public.ecr.aws')).toBe(true)
  expect(isPublicEcr('ecr-public.aws.com')).toBe(true)
  expect(isPublicEcr('public.ecr.aws.example.com')).toBe(false)
})

describe('partitions', () => {
  const regions = [
    'us-east-1',
    'ap-southeast-7',
    'mx-central-1',
    'us-gov-east-1',
    'us-gov-west-1',
    'cn-north-1',
    'cn-northwest-1',
    'eusc-de-east-1',
    'us-iso-east-1',
    'us-iso-west-1',
    'us-isob-east-1',
    'eu-isoe-west-1',
    'us-isof-south-1',
    'us-isof-east-1',
  ]

  test.each(regions)('agree with the AWS SDK about %s', (region) => {
    const ours = partitionOf(region)
    const theirs = sdkPartition(region)
    expect(ours?.id).toBe(theirs.name)
    expect(ours?.dnsSuffix).toBe(theirs.dnsSuffix)
    expect(ours?.dualStackSuffix).toBe(theirs.dualStackDnsSuffix)
  })

  test('are all of them', () => {
    expect(new Set(regions.map((region) => partitionOf(region)?.id)).size).toBe(PARTITIONS.length)
  })

  const variants = [
    { fips: false, dualStack: false },
    { fips: true, dualStack: false },
    { fips: false, dualStack: true },
    { fips: true, dualStack: true },
  ]

  test.each(regions)('name the APIs in %s as the rules of the SDK do', async (Region) => {
    const [{ ECRClient }, { ECRPUBLICClient }, { KMSClient }, { STSClient }] = await Promise.all([
      import('@aws-sdk/client-ecr'),
      import('@aws-sdk/client-ecr-public'),
      import('@aws-sdk/client-kms'),
      import('@aws-sdk/client-sts'),
    ])
    const ours = partitionOf(Region)
    if (ours === undefined) throw new Error('no partition')
    const region = { region: Region }
    const { endpointProvider: ecr } = new ECRClient(region).config
    const { endpointProvider: ecrPublic } = new ECRPUBLICClient(region).config
    const { endpointProvider: kms } = new KMSClient(region).config
    const { endpointProvider: sts } = new STSClient(region).config
    for (const variant of variants) {
      const asked = { Region, UseFIPS: variant.fips, UseDualStack: variant.dualStack }
      const theirs = [ecr(asked), ecrPublic(asked), kms(asked), sts({ ...asked, UseGlobalEndpoint: false })]
      // ECR Public answers in two regions only, one of which we use.
      const apis = [ecrApi, Region === 'us-east-1' ? ecrPublicApi : undefined, kmsApi, stsApi]
      for (const [at, api] of apis.entries()) {
        if (api !== undefined) expect(`${api(Region, ours, variant)}/`).toBe(theirs[at]?.url.href)
      }
    }
  })
})
