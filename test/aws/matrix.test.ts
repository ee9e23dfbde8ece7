import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { awsHttp } from '../../src/aws/transport.ts'
import { readAwsConfig, type AwsConfig, type AwsFlags } from '../../src/aws/config/config.ts'
import { createEcr } from '../../src/aws/ecr/client.ts'
import { ecrLogin } from '../../src/aws/ecr/login.ts'
import { publicEcrLogin } from '../../src/aws/ecr/public.ts'
import { callerIdentity } from '../../src/aws/identity.ts'
import { openKmsKey } from '../../src/aws/kms/key.ts'
import { ecrApi, partitionOf, stsApi } from '../../src/aws/partition.ts'
import { createS3 } from '../../src/aws/s3/client.ts'
import { parseS3 } from '../../src/aws/s3/location.ts'
import { silent } from '../../src/lib/events.ts'
import { HANDED_OUT, startCloud, type Cloud } from '../support/aws-cloud.ts'
import { refusalOf } from '../support/ecr-client.ts'
import { startNameProxy } from '../support/name-proxy.ts'

/** A region of each kind of partition: what is different about it is its names. */
const REGIONS = ['us-east-1', 'us-gov-west-1', 'cn-north-1', 'eusc-de-east-1', 'us-iso-east-1']
const VARIANTS = [
  { fips: false, dualStack: false },
  { fips: true, dualStack: false },
  { fips: false, dualStack: true },
  { fips: true, dualStack: true },
]
const SSO_REGION = 'eu-west-1'
const ROLE = 'arn:aws:iam::123456789012:role/importer'
const STATIC = {
  AWS_ACCESS_KEY_ID: 'AKIAENVIRONMENT00000',
  AWS_SECRET_ACCESS_KEY: 'secret-of-the-environment',
}

const names = REGIONS.flatMap((region) => {
  const partition = partitionOf(region)
  if (partition === undefined) throw new Error(`no partition of ${region}`)
  return VARIANTS.flatMap((variant) => [
    ecrApi(region, partition, variant),
    stsApi(region, partition, variant),
  ])
}).map((url) => new URL(url).host)

let cloud: Cloud
let metadata: Server
let home: string
beforeAll(async () => {
  cloud = await startCloud([
    ...new Set(names),
    ...['', '-fips'].flatMap((fips) => [
      `kms${fips}.us-east-1.amazonaws.com`,
      `kms${fips}.us-east-1.api.aws`,
      `bucket.s3${fips}.us-east-1.amazonaws.com`,
      `bucket.s3${fips}.dualstack.us-east-1.amazonaws.com`,
      `api.ecr-public${fips}.us-east-1.amazonaws.com`,
      `api.ecr-public${fips}.us-east-1.api.aws`,
      `portal.sso${fips}.${SSO_REGION}.amazonaws.com`,
      `portal.sso${fips}.${SSO_REGION}.api.aws`,
      `oidc${fips}.${SSO_REGION}.amazonaws.com`,
    ]),
    'ecr-public.us-east-1.api.aws',
  ])
  metadata = createServer((request, response) => {
    const { url = '' } = request
    if (url.endsWith('/api/token')) response.end('token-of-imds')
    else if (url.endsWith('/security-credentials/')) response.end('importer')
    else
      response.end(
        JSON.stringify(keysOf(url.startsWith('/pod') ? 'ASIAPODIDENTITY00000' : 'ASIAINSTANCE00000000')),
      )
  })
  await new Promise<void>((done) => metadata.listen(0, '127.0.0.1', done))
})
afterAll(async () => {
  metadata.closeAllConnections()
  metadata.close()
  await cloud.stop()
})
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'aws-matrix-'))
  await mkdir(join(home, '.aws', 'sso', 'cache'), { recursive: true })
  cloud.calls.length = 0
  cloud.instead.clear()
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(home, { recursive: true })
})

const keysOf = (key: string) => ({
  Code: 'Success',
  Version: 1,
  AccessKeyId: key,
  SecretAccessKey: 'secret-of-metadata',
  Token: 'session',
  SessionToken: 'session',
  Expiration: new Date(Date.now() + 3_600_000).toISOString(),
})
const local = (): string => `http://127.0.0.1:${(metadata.address() as AddressInfo).port}`

interface Source {
  readonly name: string
  /** Of the profile `p`. */
  readonly profile?: string
  readonly config?: string
  readonly env?: () => Record<string, string>
  readonly flags?: AwsFlags
  /** What goes to STS or to the portal, and with whose key. */
  readonly by?: { readonly action: string; readonly key: string }
  /** With whose key ECR is called. */
  readonly key: string
}

const SOURCES: readonly Source[] = [
  { name: 'static keys of the environment', env: () => STATIC, key: STATIC.AWS_ACCESS_KEY_ID },
  {
    name: 'static keys of a profile',
    profile: 'aws_access_key_id = AKIAPROFILE000000000\naws_secret_access_key = s',
    key: 'AKIAPROFILE000000000',
  },
  {
    name: 'role_arn with source_profile',
    profile: `role_arn = ${ROLE}\nsource_profile = base\nregion = ap-south-1`,
    config: '[profile base]\naws_access_key_id = AKIABASE000000000000\naws_secret_access_key = s\n',
    by: { action: 'AssumeRole', key: 'AKIABASE000000000000' },
    key: HANDED_OUT['AssumeRole'] ?? '',
  },
  {
    name: 'role_arn with credential_source Environment',
    profile: `role_arn = ${ROLE}\ncredential_source = Environment`,
    env: () => STATIC,
    by: { action: 'AssumeRole', key: STATIC.AWS_ACCESS_KEY_ID },
    key: HANDED_OUT['AssumeRole'] ?? '',
  },
  {
    name: 'role_arn with credential_source Ec2InstanceMetadata',
    profile: `role_arn = ${ROLE}\ncredential_source = Ec2InstanceMetadata`,
    env: () => ({ AWS_EC2_METADATA_SERVICE_ENDPOINT: local() }),
    by: { action: 'AssumeRole', key: 'ASIAINSTANCE00000000' },
    key: HANDED_OUT['AssumeRole'] ?? '',
  },
  {
    name: 'web identity of the environment (IRSA)',
    env: () => ({ AWS_ROLE_ARN: ROLE, AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'jwt') }),
    by: { action: 'AssumeRoleWithWebIdentity', key: '' },
    key: HANDED_OUT['AssumeRoleWithWebIdentity'] ?? '',
  },
  {
    name: 'web identity of a profile',
    profile: `role_arn = ${ROLE}\nweb_identity_token_file = JWT`,
    by: { action: 'AssumeRoleWithWebIdentity', key: '' },
    key: HANDED_OUT['AssumeRoleWithWebIdentity'] ?? '',
  },
  {
    name: 'Pod Identity',
    env: () => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${local()}/pod` }),
    key: 'ASIAPODIDENTITY00000',
  },
  {
    name: 'IMDSv2',
    env: () => ({ AWS_EC2_METADATA_SERVICE_ENDPOINT: local() }),
    key: 'ASIAINSTANCE00000000',
  },
  {
    name: 'credential_process',
    profile: 'credential_process = cat PROCESS',
    key: 'ASIAPROCESS000000000',
  },
  {
    name: 'SSO',
    profile: `sso_start_url = https://corp.awsapps.com/start\nsso_region = ${SSO_REGION}\nsso_account_id = 123456789012\nsso_role_name = r`,
    by: { action: 'GetRoleCredentials', key: '' },
    key: HANDED_OUT['GetRoleCredentials'] ?? '',
  },
  {
    name: 'the role of the flags',
    env: () => STATIC,
    flags: { role: { arn: ROLE, externalId: 'x-1' } },
    by: { action: 'AssumeRole', key: STATIC.AWS_ACCESS_KEY_ID },
    key: HANDED_OUT['AssumeRole'] ?? '',
  },
]

/** Writes what the source needs, and reads it as a command does. */
async function configure(
  source: Source,
  settings: string,
  more: Record<string, string> = {},
): Promise<AwsConfig> {
  await writeFile(join(home, 'jwt'), 'header.payload.signature')
  await writeFile(join(home, 'process.json'), JSON.stringify(keysOf('ASIAPROCESS000000000')))
  const session = createHash('sha1').update('https://corp.awsapps.com/start').digest('hex')
  await writeFile(
    join(home, '.aws', 'sso', 'cache', `${session}.json`),
    JSON.stringify({ accessToken: 'sso-token', expiresAt: new Date(Date.now() + 3_600_000).toISOString() }),
  )
  const profile = (source.profile ?? '')
    .replace('JWT', join(home, 'jwt'))
    .replace('PROCESS', join(home, 'process.json'))
  const name = source.profile === undefined ? 'default' : 'profile p'
  await writeFile(join(home, '.aws', 'config'), `[${name}]\n${profile}\n${settings}\n${source.config ?? ''}`)
  const env = {
    HOME: home,
    HTTPS_PROXY: cloud.proxy,
    AWS_EC2_METADATA_DISABLED: source.name === 'IMDSv2' ? 'false' : 'true',
    ...source.env?.(),
    ...(source.profile === undefined ? {} : { AWS_PROFILE: 'p' }),
    ...more,
  }
  for (const [variable, value] of Object.entries(env)) {
    // The metadata of instances and containers is looked for by the SDK alone; proxies are not its business.
    if (variable !== 'HTTPS_PROXY') vi.stubEnv(variable, value)
  }
  return readAwsConfig(env, source.flags)
}

const inProfile = ({ fips, dualStack }: (typeof VARIANTS)[number]): string =>
  `use_fips_endpoint = ${fips}\nuse_dualstack_endpoint = ${dualStack}\nca_bundle = ${cloud.caFile}`
const inEnvironment = ({ fips, dualStack }: (typeof VARIANTS)[number]): Record<string, string> => ({
  AWS_USE_FIPS_ENDPOINT: String(fips),
  AWS_USE_DUALSTACK_ENDPOINT: String(dualStack),
  AWS_CA_BUNDLE: cloud.caFile,
})

describe.each(SOURCES)('$name', (source) => {
  test.each(['profile', 'environment'])('ECR in all partitions and variants, by the %s', async (place) => {
    for (const region of REGIONS) {
      const partition = partitionOf(region)
      if (partition === undefined) throw new Error('no partition')
      for (const variant of VARIANTS) {
        cloud.calls.length = 0
        const aws =
          place === 'profile'
            ? await configure(source, inProfile(variant))
            : await configure(source, '', inEnvironment(variant))
        await ecrLogin(createEcr({ aws, region, attempts: 1 }))()
        const sts = new URL(stsApi(region, partition, variant)).host
        const portal = `portal.sso${variant.fips ? '-fips' : ''}.${SSO_REGION}.${variant.dualStack ? 'api.aws' : 'amazonaws.com'}`
        const { by } = source
        expect(cloud.calls).toEqual([
          ...(by === undefined
            ? []
            : [
                {
                  host: by.action === 'GetRoleCredentials' ? portal : sts,
                  action: by.action,
                  region: by.key === '' ? '' : region,
                  key: by.key,
                },
              ]),
          {
            host: new URL(ecrApi(region, partition, variant)).host,
            action: 'GetAuthorizationToken',
            region,
            key: source.key,
          },
        ])
      }
    }
  })

  test('trusts only what the configuration names', async () => {
    const aws = await configure(source, '')
    const error = await refusalOf(() => ecrLogin(createEcr({ aws, region: 'us-east-1', attempts: 1 }))())
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringContaining('CA that is not trusted'),
    })
    expect(cloud.calls).toEqual([])
  })
})

describe.each(VARIANTS)('FIPS $fips, dual-stack $dualStack', (variant) => {
  const fips = variant.fips ? '-fips' : ''
  const suffix = variant.dualStack ? 'api.aws' : 'amazonaws.com'
  const [anyKeys] = SOURCES
  const [, , role] = SOURCES

  test.each(['profile', 'environment'])(
    'all services, by the %s, which also says the region',
    async (place) => {
      for (const source of [anyKeys, role]) {
        if (source === undefined) throw new Error('no source')
        cloud.calls.length = 0
        const region = place === 'profile' ? 'region = us-east-1\n' : ''
        const settings = { ...source, profile: (source.profile ?? '').replace(/region = .*/, '') }
        const aws =
          place === 'profile'
            ? await configure(
                {
                  ...settings,
                  ...(source.profile === undefined ? { env: () => ({}) } : {}),
                  profile:
                    source.profile === undefined
                      ? 'aws_access_key_id = AKIAENVIRONMENT00000\naws_secret_access_key = s'
                      : settings.profile,
                },
                region + inProfile(variant),
              )
            : await configure(source, '', { ...inEnvironment(variant), AWS_REGION: 'us-east-1' })
        const key = source.key
        await createS3(parseS3('s3://bucket/key'), {
          aws: () => Promise.resolve(aws),
          http: awsHttp,
          emit: silent,
          signal: new AbortController().signal,
        }).call('GetObject', (api, options) => api.getObject({ Bucket: 'bucket', Key: 'key' }, options))
        const kms = await openKmsKey({ keyId: 'alias/a' }, { aws })
        kms.close()
        await callerIdentity({ region: 'us-east-1', aws })
        cloud.instead.set('GetAuthorizationToken', {
          status: 200,
          type: 'application/x-amz-json-1.1',
          body: JSON.stringify({ authorizationData: { authorizationToken: btoa('AWS:p') } }),
        })
        expect(await publicEcrLogin({ aws })).toBeDefined()
        cloud.instead.clear()
        const calls = cloud.calls.filter(({ action }) => action !== 'AssumeRole')
        const at = { region: 'us-east-1', key }
        expect(calls).toEqual([
          {
            host: `bucket.s3${fips}.${variant.dualStack ? 'dualstack.' : ''}us-east-1.amazonaws.com`,
            action: 'GetObject',
            ...at,
          },
          { host: `kms${fips}.us-east-1.${suffix}`, action: 'GetPublicKey', ...at },
          { host: `kms${fips}.us-east-1.${suffix}`, action: 'Sign', ...at },
          { host: `sts${fips}.us-east-1.${suffix}`, action: 'GetCallerIdentity', ...at },
          {
            host: `${variant.dualStack && !variant.fips ? 'ecr-public' : `api.ecr-public${fips}`}.us-east-1.${suffix}`,
            action: 'GetAuthorizationToken',
            ...at,
          },
        ])
        const assumed = cloud.calls.filter(({ action }) => action === 'AssumeRole')
        expect(new Set(assumed.map(({ host }) => host))).toEqual(
          new Set(source === role ? [`sts${fips}.us-east-1.${suffix}`] : []),
        )
      }
    },
  )
})

test('a session of SSO is renewed where its region and variant are', async () => {
  const source: Source = {
    name: 'SSO session',
    profile: `sso_session = s\nsso_account_id = 123456789012\nsso_role_name = r`,
    config: `[sso-session s]\nsso_region = ${SSO_REGION}\nsso_start_url = https://corp.awsapps.com/start\n`,
    key: '',
  }
  const aws = await configure(source, inProfile({ fips: true, dualStack: false }))
  const ends = (ms: number): string => new Date(Date.now() + ms).toISOString()
  await writeFile(
    join(home, '.aws', 'sso', 'cache', `${createHash('sha1').update('s').digest('hex')}.json`),
    JSON.stringify({
      accessToken: 'old',
      expiresAt: ends(60_000),
      refreshToken: 'again',
      clientId: 'client',
      clientSecret: 'secret',
      registrationExpiresAt: ends(86_400_000),
    }),
  )
  const renewed = { accessToken: 'new', expiresIn: 3600, refreshToken: 'again', tokenType: 'Bearer' }
  cloud.instead.set('CreateToken', { status: 200, type: 'application/json', body: JSON.stringify(renewed) })
  await ecrLogin(createEcr({ aws, region: 'us-east-1', attempts: 1 }))()
  expect(cloud.calls.map(({ host }) => host)).toEqual([
    `oidc-fips.${SSO_REGION}.amazonaws.com`,
    `portal.sso-fips.${SSO_REGION}.amazonaws.com`,
    'api.ecr-fips.us-east-1.amazonaws.com',
  ])
})

test('each service goes where [services] of the profile leads it', async () => {
  const settings = `region = us-east-1\nca_bundle = ${cloud.caFile}\nservices = inside`
  const services = `[services inside]\necr =\n  endpoint_url = https://api.ecr.us-gov-west-1.amazonaws.com\nsts =\n  endpoint_url = https://sts.cn-north-1.amazonaws.com.cn\n`
  const source = SOURCES.find(({ name }) => name === 'role_arn with source_profile')
  if (source === undefined) throw new Error('no source')
  const aws = await configure(
    {
      ...source,
      profile: `role_arn = ${ROLE}\nsource_profile = base`,
      config: `${source.config}${services}`,
    },
    settings,
  )
  await ecrLogin(createEcr({ aws, attempts: 1 }))()
  expect(cloud.calls.map(({ host, region }) => `${host} ${region}`)).toEqual([
    'sts.cn-north-1.amazonaws.com.cn us-east-1',
    'api.ecr.us-gov-west-1.amazonaws.com us-east-1',
  ])
})

describe('what stands in the way is named by its own host and action', () => {
  const source = (name: string): Source => {
    const found = SOURCES.find((one) => one.name === name)
    if (found === undefined) throw new Error(`no source ${name}`)
    return found
  }
  const refusal = async (one: Source, more: Record<string, string>) => {
    const aws = await configure(one, `ca_bundle = ${cloud.caFile}`, more)
    return refusalOf(() => ecrLogin(createEcr({ aws, region: 'us-east-1', attempts: 1 }))())
  }

  test('a proxy that refuses STS is no fault of ECR', async () => {
    const proxy = await startNameProxy((host) =>
      host.startsWith('sts') ? undefined : Number(new URL(cloud.proxy).port),
    )
    const error = await refusal(source('web identity of the environment (IRSA)'), { HTTPS_PROXY: proxy.url })
    await proxy.stop()
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringMatching(
        /^sts:AssumeRoleWithWebIdentity failed: the proxy .* answered 502 instead of connecting to sts\.us-east-1/,
      ),
      next: expect.stringContaining('ask who runs the proxy'),
    })
  })

  test('STS without an endpoint is a matter of the network', async () => {
    const closed = 'https://127.0.0.1:9'
    const error = await refusal(source('role_arn with source_profile'), { AWS_ENDPOINT_URL_STS: closed })
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringContaining('sts:AssumeRole failed: 127.0.0.1:9'),
      next: expect.stringContaining('the interface endpoint sts of us-east-1'),
    })
  })

  test('a page of a proxy in place of STS', async () => {
    cloud.instead.set('AssumeRole', {
      status: 403,
      type: 'text/html',
      body: '<html>blocked by policy</html>',
    })
    const error = await refusal(source('role_arn with source_profile'), {})
    expect(error).toMatchObject({
      kind: 'network',
      message: 'sts:AssumeRole failed: what answers there (with 403) is not AWS',
      where: 'sts.us-east-1.amazonaws.com (us-east-1)',
    })
  })

  test('a role that may not be assumed is a matter of permission, and not of ECR', async () => {
    cloud.instead.set('AssumeRole', {
      status: 403,
      type: 'text/xml',
      body: `<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::123456789012:user/me is not authorized to perform: sts:AssumeRole on resource: ${ROLE}</Message></Error></ErrorResponse>`,
    })
    const error = await refusal(source('the role of the flags'), {})
    expect(error).toMatchObject({ kind: 'auth', next: expect.stringContaining('trust policy of the role') })
    expect(error.message).toMatch(/^sts:AssumeRole failed: User: /)
  })

  test('an SSO portal that cannot be reached is not a lack of credentials', async () => {
    const proxy = await startNameProxy(() => undefined)
    const error = await refusal(source('SSO'), { HTTPS_PROXY: proxy.url })
    await proxy.stop()
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringContaining(`sso:GetRoleCredentials failed: the proxy`),
    })
    expect(error.message).toContain(`portal.sso.${SSO_REGION}.amazonaws.com`)
  })

  test('an SSO session that the portal refuses is', async () => {
    cloud.instead.set('GetRoleCredentials', {
      status: 401,
      type: 'application/json',
      body: '{"__type":"UnauthorizedException","message":"Session token not found or invalid"}',
    })
    const error = await refusal(source('SSO'), {})
    expect(error).toMatchObject({ kind: 'auth', next: 'run: aws sso login --profile p' })
  })
})
