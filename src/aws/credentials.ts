import type { ECRClientConfig } from '@aws-sdk/client-ecr'
import { connectionTo, type ConnectionOptions } from './connection.ts'
import { endpointFrom } from './environment.ts'
import type { AwsEvent } from './events.ts'
import type { Emit } from '../lib/events.ts'
import { noteSecret } from '../lib/secrets.ts'
import { partitionOf, stsApi } from './partition.ts'

export interface CredentialOptions extends ConnectionOptions {
  readonly region: string
  readonly emit: Emit<AwsEvent>
}

/**
 * The AWS provider chain: environment, profile (SSO, roles, processes), web identity, container, instance.
 * Roles are assumed at STS of `region`, whatever region the profile names: in an isolated VPC only that one has an
 * endpoint, and the global one never has. Static keys come from `env`; for the rest the SDK reads the environment
 * of the process itself.
 */
export async function awsCredentials(
  options: CredentialOptions,
): Promise<NonNullable<ECRClientConfig['credentials']>> {
  const { env } = options
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env
  if (accessKeyId && secretAccessKey && !env.AWS_PROFILE) {
    const sessionToken = env.AWS_SESSION_TOKEN
    noteSecret(accessKeyId, secretAccessKey, sessionToken)
    return async () => ({ accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) })
  }
  const [{ defaultProvider }, { getDefaultRoleAssumer, getDefaultRoleAssumerWithWebIdentity }] =
    await Promise.all([import('@aws-sdk/credential-provider-node'), import('@aws-sdk/client-sts')])
  const endpoint = stsEndpoint(options)
  const sts = {
    region: options.region,
    useGlobalEndpoint: false,
    endpoint,
    requestHandler: connectionTo(endpoint, options),
    logger: sdkLogger(options.emit),
  }
  const provider = defaultProvider({
    ...(env.AWS_PROFILE ? { profile: env.AWS_PROFILE } : {}),
    logger: sdkLogger(options.emit),
    roleAssumer: getDefaultRoleAssumer(sts),
    roleAssumerWithWebIdentity: getDefaultRoleAssumerWithWebIdentity(sts),
    // SSO has a region of its own, so its host is not known here; this one only decides about the proxy.
    clientConfig: { requestHandler: connectionTo('https://portal.sso.amazonaws.com', options) },
  })
  return async (...asked) => {
    const found = await provider(...asked)
    noteSecret(found.accessKeyId, found.secretAccessKey, found.sessionToken)
    return found
  }
}

export function stsEndpoint({ env, region }: Pick<CredentialOptions, 'env' | 'region'>): string {
  const given = endpointFrom(env, 'STS')
  if (given !== undefined) return given
  const partition = partitionOf(region)
  return partition === undefined ? `https://sts.${region}.amazonaws.com` : stsApi(region, partition)
}

/** The SDK warns on the console; here it reports as everything else does. */
export function sdkLogger(emit: Emit<AwsEvent>) {
  const report = (...said: readonly unknown[]): void => {
    emit({ type: 'warning', message: said.map(String).join(' ').replaceAll(/\s+/g, ' ').trim() })
  }
  const quiet = (): void => undefined
  return { trace: quiet, debug: quiet, info: quiet, warn: report, error: quiet }
}
