import type { ECRClientConfig } from '@aws-sdk/client-ecr'
import type { DefaultProviderInit } from '@aws-sdk/credential-provider-node'
import type { AwsConfig, AssumedRole } from './config/config.ts'
import { awsError } from './errors.ts'
import type { AwsEvent } from './events.ts'
import type { Emit } from '../lib/events.ts'
import type { Http } from '../lib/http/client.ts'
import { noteSecret } from '../lib/secrets.ts'
import { partitionOf, stsApi } from './partition.ts'
import { sdkTransport, type LastCall } from './transport.ts'

export interface CredentialOptions {
  readonly aws: AwsConfig
  readonly http: Http
  readonly region: string
  readonly emit: Emit<AwsEvent>
}

type Provider = () => Promise<Keys>

/** The forms of credentials that all clients of the SDK take. */
export type AwsCredentials = NonNullable<ECRClientConfig['credentials']>

/**
 * The AWS provider chain: environment, profile (SSO, roles, processes), web identity, container, instance; and on top
 * of what it finds, the role of the flags. Roles are assumed at STS of `region`, whatever region the profile names: in
 * an isolated VPC only that one has an endpoint, and the global one never has. Static keys and files come from the
 * configuration; for containers and instances the SDK reads the environment of the process itself.
 */
export async function awsCredentials(options: CredentialOptions): Promise<AwsCredentials> {
  const { aws } = options
  const watch: { last: LastCall | undefined } = { last: undefined }
  const found = staticKeys(aws) ?? (await chain(options, watch))
  const provider = aws.role === undefined ? found : await assuming(aws.role, found, options, watch)
  return async () => {
    watch.last = undefined
    try {
      const keys = await provider()
      noteSecret(keys.accessKeyId, keys.secretAccessKey, keys.sessionToken)
      return keys
    } catch (error) {
      throw refused(error, watch.last, options)
    }
  }
}

export function stsEndpoint({ aws, region }: Pick<CredentialOptions, 'aws' | 'region'>): string {
  const given = aws.endpoint('STS')
  if (given !== undefined) return given
  const partition = partitionOf(region)
  return partition === undefined
    ? `https://sts.${region}.amazonaws.com`
    : stsApi(region, partition, aws.variant)
}

/** The SDK warns on the console; here it reports as everything else does. */
export function sdkLogger(emit: Emit<AwsEvent>) {
  const report = (...said: readonly unknown[]): void => {
    emit({ type: 'warning', message: said.map(String).join(' ').replaceAll(/\s+/g, ' ').trim() })
  }
  const quiet = (): void => undefined
  return { trace: quiet, debug: quiet, info: quiet, warn: report, error: quiet }
}

// --- internal ---

interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

type Watch = { last: LastCall | undefined }

function staticKeys({ env, profile }: AwsConfig): Provider | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env
  if (!accessKeyId || !secretAccessKey || profile !== undefined) return undefined
  const sessionToken = env['AWS_SESSION_TOKEN']
  return () => Promise.resolve({ accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) })
}

/** What every client of STS gets. Endpoint and variant exclude each other, and the endpoint is of the variant already. */
const stsSettings = (options: CredentialOptions, watch: Watch) => ({
  region: options.region,
  useGlobalEndpoint: false,
  useFipsEndpoint: false,
  useDualstackEndpoint: false,
  endpoint: stsEndpoint(options),
  requestHandler: watched(options.http, watch),
  logger: sdkLogger(options.emit),
})

const watched = (http: Http, watch: Watch) =>
  sdkTransport(http, (call) => {
    watch.last = call
  })

async function chain(options: CredentialOptions, watch: Watch): Promise<Provider> {
  const { aws, emit, http } = options
  const [{ defaultProvider }, { getDefaultRoleAssumer, getDefaultRoleAssumerWithWebIdentity }] =
    await Promise.all([import('@aws-sdk/credential-provider-node'), import('@aws-sdk/client-sts')])
  const { env } = aws
  const init: DefaultProviderInit = {
    ...aws.files,
    ...(aws.profile === undefined ? {} : { profile: aws.profile }),
    ...(env['AWS_WEB_IDENTITY_TOKEN_FILE'] && env['AWS_ROLE_ARN']
      ? { webIdentityTokenFile: env['AWS_WEB_IDENTITY_TOKEN_FILE'], roleArn: env['AWS_ROLE_ARN'] }
      : {}),
    logger: sdkLogger(emit),
    roleAssumer: getDefaultRoleAssumer(stsSettings(options, watch)),
    roleAssumerWithWebIdentity: getDefaultRoleAssumerWithWebIdentity(stsSettings(options, watch)),
    // For SSO, which is in a region of its own.
    clientConfig: {
      requestHandler: watched(http, watch),
      useFipsEndpoint: aws.variant.fips,
      useDualstackEndpoint: aws.variant.dualStack,
    },
  }
  return defaultProvider(init)
}

/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
async function assuming(
  { arn, externalId, sessionName }: AssumedRole,
  source: Provider,
  options: CredentialOptions,
  watch: Watch,
): Promise<Provider> {
  const { getDefaultRoleAssumer } = await import('@aws-sdk/client-sts')
  const assume = getDefaultRoleAssumer(stsSettings(options, watch))
  return async () =>
    assume(await source(), {
      RoleArn: arn,
      RoleSessionName: sessionName ?? 'ma-bundle',
      ...(externalId === undefined ? {} : { ExternalId: externalId }),
    })
}

/** The SDK says of whatever went wrong that there are no credentials; where a call was made, that call failed. */
function refused(error: unknown, last: LastCall | undefined, { aws, region }: CredentialOptions): unknown {
  if (last?.action === undefined) return error
  const facts = { action: last.action, endpoint: last.host, region, aws }
  return awsError(last.failure ?? error, facts)
}
