import { CreateRepositoryCommand, DescribeRegistryCommand } from '@aws-sdk/client-ecr'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { EXAMPLE_KEY, type AccessKey } from '../support/ecr/signature.ts'
import { ask, refusal, sdk, told } from './client.ts'

const ROLE: AccessKey = {
  accessKeyId: 'ASIAEXAMPLEROLE',
  secretAccessKey: 'role-secret',
  sessionToken: 'role-session',
  arn: 'arn:aws:sts::123456789012:assumed-role/importer/me',
  denied: ['CreateRepository'],
}
const OVER: AccessKey = {
  accessKeyId: 'ASIAEXAMPLEOVER',
  secretAccessKey: 'over',
  sessionToken: 'over-session',
  expired: true,
}
let ecr: Ecr

beforeAll(async () => {
  ecr = await startEcr({
    tls: false,
    accessKeys: [EXAMPLE_KEY, ROLE, OVER],
    denied: ['InitiateLayerUpload'],
  })
  ecr.createRepository('mine')
})
afterAll(() => ecr.stop())

const callAs = (key: AccessKey, region = ecr.region) =>
  sdk(ecr, key, region).send(new DescribeRegistryCommand({}))

const whoAmI = async (key: AccessKey) => {
  const client = new STSClient({
    region: ecr.region,
    endpoint: ecr.endpoint,
    credentials: key,
    maxAttempts: 1,
  })
  const { Arn, Account } = await client.send(new GetCallerIdentityCommand({}))
  return { Arn, Account }
}

describe('a call of the API', () => {
  test('is taken with a good signature, temporary or not', async () => {
    expect((await callAs(EXAMPLE_KEY)).registryId).toBe('123456789012')
    expect((await callAs(ROLE)).registryId).toBe('123456789012')
  })

  test('needs a signature', async () => {
    const response = await fetch(ecr.endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': 'AmazonEC2ContainerRegistry_V20150921.DescribeRegistry' },
      body: '{}',
    })
    expect(response.status).toBe(400)
    expect(response.headers.get('x-amzn-errortype')).toBe('MissingAuthenticationTokenException')
    expect(await response.json()).toEqual({
      __type: 'MissingAuthenticationTokenException',
      message: 'Missing Authentication Token',
    })
  })

  test('needs a known key, its own secret, its session, and the right region', async () => {
    expect(await refusal(callAs({ ...EXAMPLE_KEY, accessKeyId: 'AKIANOBODY' }))).toBe(
      'UnrecognizedClientException: The security token included in the request is invalid.',
    )
    expect(await refusal(callAs({ ...ROLE, sessionToken: 'other' }))).toMatch(/^UnrecognizedClientException/)
    expect(await refusal(callAs({ ...EXAMPLE_KEY, secretAccessKey: 'wrong' }))).toMatch(
      /^InvalidSignatureException: The request signature we calculated does not match/,
    )
    expect(await refusal(callAs(EXAMPLE_KEY, 'us-east-1'))).toMatch(
      /^InvalidSignatureException: Credential should be scoped to a valid region/,
    )
    expect(await refusal(callAs(OVER))).toBe(
      'ExpiredTokenException: The security token included in the request is expired',
    )
  })

  test('needs a clock within five minutes of the server, whose Date says how far off it is', async () => {
    const skewed = await startEcr({ tls: false, clockSkewSeconds: 3600 })
    expect(await refusal(sdk(skewed).send(new DescribeRegistryCommand({})))).toMatch(
      /^InvalidSignatureException: Signature expired: \d{8}T\d{6}Z is now earlier than/,
    )
    const date = (await ask(skewed, '/v2/')).headers.get('date') ?? ''
    expect(Math.round((Date.parse(date) - Date.now()) / 60_000)).toBe(60)
    await skewed.stop()
  })

  test('of an unknown operation is refused', async () => {
    const response = await fetch(ecr.endpoint, {
      method: 'POST',
      headers: { 'x-amz-target': 'x.y' },
      body: '{}',
    })
    expect(await response.json()).toMatchObject({ __type: 'UnknownOperationException' })
  })
})

describe('IAM', () => {
  test('denies through the API with the ARN of who and what', async () => {
    const create = new CreateRepositoryCommand({ repositoryName: 'new/one' })
    expect(await refusal(sdk(ecr, ROLE).send(create))).toBe(
      'AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/importer/me is not authorized to perform: ecr:CreateRepository on resource: arn:aws:ecr:eu-central-1:123456789012:repository/new/one because no identity-based policy allows the ecr:CreateRepository action',
    )
    await sdk(ecr).send(create)
  })

  test('denies through the OCI door with the same words', async () => {
    const response = await ask(ecr, '/v2/mine/blobs/uploads/', { method: 'POST' })
    expect(await told(response)).toBe(
      '403 DENIED User: arn:aws:iam::123456789012:user/ma-bundle is not authorized to perform: ecr:InitiateLayerUpload on resource: arn:aws:ecr:eu-central-1:123456789012:repository/mine because no identity-based policy allows the ecr:InitiateLayerUpload action',
    )
  })
})

describe('STS', () => {
  test('says who calls', async () => {
    expect(await whoAmI(EXAMPLE_KEY)).toEqual({
      Arn: 'arn:aws:iam::123456789012:user/ma-bundle',
      Account: '123456789012',
    })
    expect((await whoAmI(ROLE)).Arn).toBe(ROLE.arn)
  })

  test('names bad credentials in its own way', async () => {
    expect(await refusal(whoAmI(OVER))).toMatch(/^ExpiredToken/)
    expect(await refusal(whoAmI({ ...EXAMPLE_KEY, secretAccessKey: 'wrong' }))).toMatch(
      /^SignatureDoesNotMatch/,
    )
    expect(await refusal(whoAmI({ ...EXAMPLE_KEY, accessKeyId: 'AKIANOBODY' }))).toMatch(
      /^InvalidClientTokenId/,
    )
  })
})
