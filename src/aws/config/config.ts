import { usageError } from '../../lib/errors.ts'
import type { Env } from '../../lib/http/proxy.ts'
import type { ApiVariant } from '../partition.ts'
import { readProfile, sharedFiles, untilded, type Profile, type SharedFiles } from './shared-files.ts'

/** A role to assume with the credentials that were found. */
export interface AssumedRole {
  readonly arn: string
  /** What the role's trust policy asks of others than its own account. */
  readonly externalId?: string
  /** As CloudTrail names the session. */
  readonly sessionName?: string
}

/** Services by the name that variables and `[services]` give them. */
export type AwsService = 'ECR' | 'ECR_PUBLIC' | 'KMS' | 'S3' | 'STS'

/** How AWS is reached and as whom: flags, environment and profile in one, the same for all services. */
export interface AwsConfig {
  readonly env: Env
  /** As a flag or `AWS_PROFILE` names it; undefined for the default one. */
  readonly profile: string | undefined
  /** Whether flags say so: then no other login will do. */
  readonly isChosen: boolean
  readonly files: SharedFiles
  readonly region: string | undefined
  readonly variant: Required<ApiVariant>
  /** PEM file of CAs to trust besides. */
  readonly caFile: string | undefined
  readonly role: AssumedRole | undefined
  /**
   * The URL in place of a service's own.
   * @throws a usage error when it is none
   */
  endpoint(service: AwsService): string | undefined
}

/** What flags say, for one side of a command. */
export interface AwsFlags {
  readonly profile?: string | undefined
  readonly role?: AssumedRole | undefined
}

/**
 * Reads the environment and the profile that it or the flag names.
 * @throws a usage error for a profile of a flag that is not there, and for values that would be ignored in silence
 */
export async function readAwsConfig(env: Env, flags: AwsFlags = {}): Promise<AwsConfig> {
  const name = flags.profile ?? (env['AWS_PROFILE'] || env['AWS_DEFAULT_PROFILE'] || 'default')
  const files = sharedFiles(env)
  const profile = await readProfile(files, name)
  if (flags.profile !== undefined && profile === undefined) {
    throw usageError(`there is no AWS profile "${flags.profile}"`, {
      next: 'see: aws configure list-profiles; AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name other files',
    })
  }
  return awsConfig(env, flags, profile)
}

/** The same, from a profile that was read already. */
export function awsConfig(env: Env, flags: AwsFlags = {}, profile?: Profile): AwsConfig {
  const { settings = {}, services = {} } = profile ?? {}
  const caFile = env['AWS_CA_BUNDLE'] || settings['ca_bundle']
  const ignored =
    (
      env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] ||
      settings['ignore_configured_endpoint_urls'] ||
      ''
    ).toLowerCase() === 'true'
  return {
    env,
    profile: flags.profile ?? (env['AWS_PROFILE'] || env['AWS_DEFAULT_PROFILE'] || undefined),
    isChosen: flags.profile !== undefined || flags.role !== undefined,
    files: sharedFiles(env),
    region: env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || settings['region'] || undefined,
    variant: {
      fips: isOn(env, settings, 'AWS_USE_FIPS_ENDPOINT', 'use_fips_endpoint'),
      dualStack: isOn(env, settings, 'AWS_USE_DUALSTACK_ENDPOINT', 'use_dualstack_endpoint'),
    },
    caFile: caFile ? untilded(caFile, env['HOME'] ?? '') : undefined,
    role: flags.role,
    // https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    endpoint(service) {
      if (ignored) return undefined
      const url =
        env[`AWS_ENDPOINT_URL_${service}`] ||
        env['AWS_ENDPOINT_URL'] ||
        services[`${service.toLowerCase()}.endpoint_url`] ||
        settings['endpoint_url']
      return url ? checkedEndpoint(url) : undefined
    },
  }
}

/** Files of CAs that flags, variables and the profile name. */
export const caFilesOf = ({ caFile }: AwsConfig, given: readonly string[] = []): readonly string[] =>
  caFile === undefined ? given : [...given, caFile]

/** @throws a usage error for what is no URL of an endpoint */
export function checkedEndpoint(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text
  throw usageError(`not a URL of an AWS endpoint: "${text.slice(0, 200)}"`, {
    next: 'write it with its scheme, as in https://vpce-….api.ecr.eu-central-1.vpce.amazonaws.com',
  })
}

// --- internal ---

/** Whoever must use FIPS endpoints must not go without them because of a slip. */
function isOn(env: Env, settings: Profile['settings'], variable: string, setting: string): boolean {
  const [name, value] = env[variable] ? [variable, env[variable]] : [setting, settings[setting]]
  const text = (value ?? '').trim().toLowerCase()
  if (text === 'true') return true
  if (text === 'false' || text === '') return false
  throw usageError(`${name} is "${value}", which is neither true nor false`, {
    next: `set ${name} to true or false`,
  })
}
