import { createServer, type AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { awsConfig } from '../../src/aws/config/config.ts'
import { createEcr, type EcrOptions } from '../../src/aws/ecr/client.ts'
import { parseEcrHost, type EcrHost } from '../../src/aws/host.ts'
import { callerIdentity } from '../../src/aws/identity.ts'
import { ecrLogin } from '../../src/aws/ecr/login.ts'
import { refusalOf } from '../support/ecr-client.ts'
import { startEcr, type Ecr as Double } from '../support/ecr/server.ts'
import { portOf, startNameProxy, type NameProxy } from '../support/name-proxy.ts'

const REGISTRY = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'

function hostOf(name: string): EcrHost {
  const host = parseEcrHost(name)
  if (host === undefined) throw new Error(`not an ECR host: ${name}`)
  return host
}

let double: Double
let proxy: NameProxy
beforeEach(async () => {
  double = await startEcr()
  proxy = await startNameProxy(() => portOf(double.endpoint))
})
afterEach(async () => {
  await Promise.all([proxy.stop(), double.stop()])
})

/** As in an isolated VPC: real names, our double behind them, nothing redirected by endpoint variables. */
const real = (more: Record<string, string> = {}): Record<string, string> => ({
  AWS_ACCESS_KEY_ID: double.environment['AWS_ACCESS_KEY_ID'] ?? '',
  AWS_SECRET_ACCESS_KEY: double.environment['AWS_SECRET_ACCESS_KEY'] ?? '',
  HTTPS_PROXY: proxy.url,
  ...more,
})
const open = (options: Partial<EcrOptions> = {}) =>
  createEcr({
    host: hostOf(REGISTRY),
    aws: awsConfig(real()),
    caFiles: [double.caFile],
    attempts: 1,
    ...options,
  })

type Wish = Partial<Omit<EcrOptions, 'aws'>> & { readonly env?: Record<string, string> }

describe('createEcr', () => {
  test('speaks to the regional API through the proxy, with the trust that it was given', async () => {
    await expect(ecrLogin(open())()).resolves.toHaveProperty('authorization')
    expect(proxy.asked).toEqual(['api.ecr.eu-central-1.amazonaws.com:443'])
    expect(double.log.count('GetAuthorizationToken')).toBe(1)
  })

  test('does not talk to whoever is at the end of a tunnel without the right name', async () => {
    const host = hostOf('123456789012.dkr.ecr.us-west-2.amazonaws.com')
    const error = await refusalOf(() => ecrLogin(open({ host }))())
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringContaining('certificate is for another host name'),
    })
    expect(proxy.asked).toEqual(['api.ecr.us-west-2.amazonaws.com:443'])
    expect(double.log.entries).toEqual([])
  })

  test('goes past the proxy where NO_PROXY says so', async () => {
    const env = real({ NO_PROXY: '.invalid' })
    const error = await refusalOf(() =>
      ecrLogin(open({ aws: awsConfig(env), endpointUrl: 'https://api.ecr.invalid' }))(),
    )
    expect(error).toHaveProperty('kind', 'network')
    expect(error).toHaveProperty('next', expect.stringContaining('ecr.api of eu-central-1'))
    expect(proxy.asked).toEqual([])
  })

  test('says that the certificate is the trouble when it is', async () => {
    const error = await refusalOf(() => ecrLogin(open({ caFiles: [] }))())
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringContaining('CA that is not trusted'),
    })
    expect(error).toHaveProperty('next', expect.stringContaining('--ca-file'))
  })

  test.each([
    ['the host', {}, 'https://api.ecr.eu-central-1.amazonaws.com'],
    [
      'the flag',
      { endpointUrl: 'https://a.example', env: { AWS_ENDPOINT_URL_ECR: 'https://b.example' } },
      'https://a.example',
    ],
    [
      'AWS_ENDPOINT_URL_ECR',
      { env: { AWS_ENDPOINT_URL_ECR: 'https://b.example', AWS_ENDPOINT_URL: 'https://c.example' } },
      'https://b.example',
    ],
    ['AWS_ENDPOINT_URL', { env: { AWS_ENDPOINT_URL: 'https://c.example' } }, 'https://c.example'],
    [
      'the host when configured endpoints are ignored',
      { env: { AWS_ENDPOINT_URL: 'https://c.example', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' } },
      'https://api.ecr.eu-central-1.amazonaws.com',
    ],
    [
      'a FIPS host',
      { host: hostOf('123456789012.dkr.ecr-fips.us-east-1.amazonaws.com') },
      'https://api.ecr-fips.us-east-1.amazonaws.com',
    ],
    [
      'a host in China',
      { host: hostOf('123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn') },
      'https://api.ecr.cn-north-1.amazonaws.com.cn',
    ],
    [
      'a dual-stack host',
      { host: hostOf('123456789012.dkr-ecr.us-east-1.on.aws') },
      'https://api.ecr.us-east-1.amazonaws.com',
    ],
    [
      'a wish for dual stack',
      { env: { AWS_USE_DUALSTACK_ENDPOINT: 'true' } },
      'https://ecr.eu-central-1.api.aws',
    ],
    ['--region', { region: 'us-gov-west-1' }, 'https://api.ecr.us-gov-west-1.amazonaws.com'],
  ])('takes its endpoint from %s', (_, { env = {}, ...options }: Wish, endpoint) => {
    expect(open({ ...options, aws: awsConfig(env) }).endpoint).toBe(endpoint)
  })

  test('needs to know the region', () => {
    expect(() => createEcr({ aws: awsConfig({}) })).toThrow('region of the registry is not known')
    expect(createEcr({ aws: awsConfig({ AWS_REGION: 'ap-south-1' }) }).region).toBe('ap-south-1')
    expect(() => createEcr({ aws: awsConfig({}), region: 'frankfurt' })).toThrow('is not an AWS region')
    expect(() =>
      createEcr({ aws: awsConfig({}), region: 'us-east-1', endpointUrl: 'localhost:4566' }),
    ).toThrow('not a URL')
  })

  test('is not led astray by variables about FIPS and dual stack that go with no given endpoint', async () => {
    const env = { ...double.environment, AWS_USE_FIPS_ENDPOINT: 'true', AWS_USE_DUALSTACK_ENDPOINT: 'true' }
    await expect(ecrLogin(open({ aws: awsConfig(env), region: 'eu-central-1' }))()).resolves.toHaveProperty(
      'authorization',
    )
  })
})

test('a proxy that refuses is told from AWS', async () => {
  const refusing = createServer((client) => {
    client.once('data', () =>
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n'),
    )
  })
  await new Promise<void>((done) => refusing.listen(0, '127.0.0.1', done))
  const url = `http://user:secret@127.0.0.1:${(refusing.address() as AddressInfo).port}`
  const error = await refusalOf(() => ecrLogin(open({ aws: awsConfig(real({ HTTPS_PROXY: url })) }))())
  refusing.close()
  expect(error).toMatchObject({
    kind: 'network',
    message: expect.stringContaining('answered 407 instead of connecting to api.ecr.eu-central-1'),
  })
  expect(error).toHaveProperty('next', expect.stringContaining('HTTPS_PROXY'))
  expect(error.message).not.toContain('secret')
})

test('something that is not AWS is told from AWS', async () => {
  double.faults.add({
    on: { plane: 'api' },
    fault: { kind: 'status', status: 403, body: '<html>blocked</html>' },
    times: 9,
  })
  const error = await refusalOf(() => ecrLogin(open())())
  expect(error).toMatchObject({ kind: 'network', message: expect.stringContaining('(with 403) is not AWS') })
})

describe('callerIdentity', () => {
  const identity = (env: Record<string, string>) =>
    callerIdentity({ region: 'eu-central-1', aws: awsConfig(env), caFiles: [double.caFile] })

  test('asks STS of the region, never the global one', async () => {
    const { account, arn } = await identity(real())
    expect(account).toBe('123456789012')
    expect(arn).toMatch(/^arn:aws:/)
    expect(proxy.asked).toEqual(['sts.eu-central-1.amazonaws.com:443'])
  })

  test('says that STS has no endpoint', async () => {
    const error = await refusalOf(() =>
      identity(real({ NO_PROXY: '*', AWS_ENDPOINT_URL_STS: 'https://sts.invalid' })),
    )
    expect(error).toMatchObject({ kind: 'network' })
    expect(error).toHaveProperty(
      'next',
      expect.stringContaining('the interface endpoint sts of eu-central-1'),
    )
  })

  test('knows a key that nobody has', async () => {
    const error = await refusalOf(() => identity(real({ AWS_ACCESS_KEY_ID: 'AKIAUNKNOWNUNKNOWN00' })))
    expect(error).toMatchObject({ kind: 'auth', exception: 'InvalidClientTokenId' })
  })
})
