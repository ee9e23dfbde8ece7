import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { parseEcrHost, type EcrHost } from '../../src/aws/host.ts'
import { iamPolicy, type PolicyOptions } from '../../src/aws/iam-policy.ts'
import { uploadLayer } from '../../src/aws/ecr/layers/upload.ts'
import { ecrLogin } from '../../src/aws/ecr/login.ts'
import { blobMounting } from '../../src/aws/ecr/blob-mounting.ts'
import { ensureRepository } from '../../src/aws/ecr/repositories.ts'
import { vpcEndpoints } from '../../src/aws/vpc-endpoints.ts'
import { bytesOf } from '../../src/lib/bytes/bytes.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { openEcr } from '../support/ecr-client.ts'
import { startEcr } from '../support/ecr/server.ts'

function host(name = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'): EcrHost {
  const parsed = parseEcrHost(name)
  if (parsed === undefined) throw new Error(`not an ECR host: ${name}`)
  return parsed
}

const base: PolicyOptions = { for: 'import', host: host(), prefix: 'mirrored', chartPrefix: 'charts' }
const arn = 'arn:aws:ecr:eu-central-1:123456789012:repository'

const actions = (options: PolicyOptions): string[] =>
  iamPolicy(options)
    .Statement.flatMap(({ Action }) => Action)
    .toSorted()

describe('iamPolicy', () => {
  test('for an import names the two prefixes, and only the login and account questions go to *', () => {
    const { Statement } = iamPolicy(base)
    for (const { Action, Resource } of Statement) {
      const wide = Action.every((action) => /:(GetAuthorizationToken|GetAccountSetting)$/.test(action))
      expect(Resource).toEqual(wide ? ['*'] : [`${arn}/mirrored/*`, `${arn}/charts/*`])
    }
  })

  test("for an import of somebody else's repositories creates none", () => {
    const bare = { createRepositories: false, blobMounting: false, verify: false }
    expect(actions({ ...base, features: bare })).toEqual([
      'ecr:BatchCheckLayerAvailability',
      'ecr:BatchGetImage',
      'ecr:CompleteLayerUpload',
      'ecr:DescribeRepositories',
      'ecr:GetAuthorizationToken',
      'ecr:InitiateLayerUpload',
      'ecr:PutImage',
      'ecr:UploadLayerPart',
    ])
  })

  test.each([
    [{ tags: true }, ['ecr:ListTagsForResource']],
    [{ lifecyclePolicy: true }, ['ecr:GetLifecyclePolicy', 'ecr:PutLifecyclePolicy']],
    [{ repositoryPolicy: true }, ['ecr:GetRepositoryPolicy', 'ecr:SetRepositoryPolicy']],
    [{ kmsKey: true as const }, ['kms:CreateGrant', 'kms:DescribeKey', 'kms:RetireGrant']],
  ])('adds for %o just %o', (features, more) => {
    const without = new Set(actions(base))
    expect(actions({ ...base, features }).filter((action) => !without.has(action))).toEqual(more)
  })

  test('limits a key to its use by ECR', () => {
    const key = 'arn:aws:kms:eu-central-1:123456789012:key/1'
    const statement = iamPolicy({ ...base, features: { kmsKey: key } }).Statement.at(-1)
    expect(statement?.Resource).toEqual([key])
    expect(statement?.Condition).toEqual({
      StringEquals: { 'kms:ViaService': 'ecr.eu-central-1.amazonaws.com' },
    })
  })

  test('for an export only reads', () => {
    const options = { ...base, for: 'export' as const }
    expect(actions(options).filter((action) => !/:(Get|List|Batch(Get|Check))/.test(action))).toEqual([])
    expect(actions(options)).toContain('ecr:BatchGetImage')
  })

  test('covers the whole registry once when a prefix is empty', () => {
    expect(iamPolicy({ ...base, prefix: '' }).Statement[1]?.Resource).toEqual([`${arn}/*`])
  })

  test.each([
    ['123456789012.dkr.ecr.us-gov-west-1.amazonaws.com', 'arn:aws-us-gov:'],
    ['123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn', 'arn:aws-cn:'],
    ['123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu', 'arn:aws-eusc:'],
    ['123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov', 'arn:aws-iso-b:'],
  ])('follows the partition of %s', (name, begin) => {
    const arns = iamPolicy({ ...base, host: host(name), features: { kmsKey: true } })
      .Statement.flatMap(({ Resource }) => Resource)
      .filter((resource) => resource !== '*')
    for (const resource of arns) expect(resource.startsWith(begin)).toBe(true)
  })

  test('fits into an inline policy of a role (10,240 characters without white space)', () => {
    const features = { tags: true, lifecyclePolicy: true, repositoryPolicy: true, kmsKey: true as const }
    expect(JSON.stringify(iamPolicy({ ...base, features })).length).toBeLessThan(10_240)
  })
})

test('the policy names every action that the code asks for', async () => {
  const double = await startEcr()
  try {
    const { ecr } = openEcr(double)
    const settings = {
      tags: { a: 'b' },
      lifecyclePolicy: JSON.stringify({
        rules: [
          {
            rulePriority: 1,
            selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 9 },
            action: { type: 'expire' },
          },
        ],
      }),
      repositoryPolicy: JSON.stringify({
        Version: '2012-10-17',
        Statement: [{ Sid: 'x', Effect: 'Allow', Principal: '*', Action: ['ecr:BatchGetImage'] }],
      }),
    }
    await ecrLogin(ecr)()
    await blobMounting(ecr)
    for (const _ of ['made', 'compared']) await ensureRepository(ecr, 'mirrored/x', settings)
    const content = new Uint8Array([1])
    const layer = { digest: digestOf(content), size: 1 }
    await uploadLayer(ecr, { repository: 'mirrored/x', layer, open: async (at) => bytesOf(content, at) })
    const features = { tags: true, lifecyclePolicy: true, repositoryPolicy: true }
    const allowed = new Set(actions({ ...base, features }))
    const asked = Object.keys(double.log.counts()).map((action) => `ecr:${action}`)
    expect(asked.length).toBeGreaterThan(9)
    expect(asked.filter((action) => !allowed.has(action))).toEqual([])
  } finally {
    await double.stop()
  }
})

describe('vpcEndpoints', () => {
  const endpoints = (name?: string) => {
    const { Resources } = parse(vpcEndpoints(host(name)))
    const named = Object.entries<{ Properties: Record<string, unknown> }>(Resources)
    return new Map(named.map(([key, { Properties }]) => [key, Properties]))
  }

  test('has the three endpoints, private DNS, and one security group that opens 443 to the clients', () => {
    const found = endpoints()
    expect([...found.values()].flatMap(({ ServiceName }) => ServiceName ?? [])).toEqual([
      'com.amazonaws.eu-central-1.ecr.api',
      'com.amazonaws.eu-central-1.ecr.dkr',
      'com.amazonaws.eu-central-1.s3',
      'com.amazonaws.eu-central-1.sts',
    ])
    for (const key of ['EcrApiEndpoint', 'EcrDkrEndpoint', 'StsEndpoint']) {
      expect(found.get(key)).toMatchObject({
        PrivateDnsEnabled: true,
        VpcEndpointType: 'Interface',
        SecurityGroupIds: [{ Ref: 'EndpointSecurityGroup' }],
      })
    }
    expect(found.get('EndpointSecurityGroup')?.['SecurityGroupIngress']).toEqual([
      { IpProtocol: 'tcp', FromPort: 443, ToPort: 443, CidrIp: { Ref: 'ClientCidr' } },
    ])
  })

  test('lets only the layers of this region through S3', () => {
    expect(endpoints().get('S3Endpoint')).toMatchObject({
      VpcEndpointType: 'Gateway',
      RouteTableIds: { Ref: 'RouteTableIds' },
      PolicyDocument: {
        Statement: [
          {
            Action: ['s3:GetObject'],
            Resource: ['arn:aws:s3:::prod-eu-central-1-starport-layer-bucket/*'],
          },
        ],
      },
    })
  })

  test('names the services as China does', () => {
    const found = endpoints('123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn')
    expect(found.get('EcrDkrEndpoint')?.['ServiceName']).toBe('cn.com.amazonaws.cn-north-1.ecr.dkr')
    expect(found.get('StsEndpoint')?.['ServiceName']).toBe('cn.com.amazonaws.cn-north-1.sts')
    expect(found.get('S3Endpoint')?.['ServiceName']).toBe('com.amazonaws.cn-north-1.s3')
  })
})

test('what changes repositories that exist may change all that an import can set', () => {
  const features = {
    createRepositories: false,
    lifecyclePolicy: true,
    repositoryPolicy: true,
    applySettings: true,
  }
  const without = new Set(actions({ ...base, features: { createRepositories: false } }))
  expect(actions({ ...base, features }).filter((action) => !without.has(action))).toEqual(
    [
      'ecr:GetLifecyclePolicy',
      'ecr:GetRepositoryPolicy',
      'ecr:ListImages',
      'ecr:PutImageScanningConfiguration',
      'ecr:PutImageTagMutability',
      'ecr:PutLifecyclePolicy',
      'ecr:SetRepositoryPolicy',
      'ecr:TagResource',
    ].filter((action) => !without.has(action)),
  )
})
