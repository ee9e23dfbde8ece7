import type { Env } from '../lib/http/proxy.ts'
import type { Emit } from '../lib/events.ts'
import { silent } from '../lib/events.ts'
import { connectionTo, type Trust } from './connection.ts'
import { awsCredentials, sdkLogger, stsEndpoint } from './credentials.ts'
import { awsError } from './errors.ts'
import type { AwsEvent } from './events.ts'

export interface IdentityOptions {
  readonly region: string
  readonly env: Env
  readonly trust?: Trust
  readonly signal?: AbortSignal
  readonly emit?: Emit<AwsEvent>
}

/** Who the credentials are. */
export interface Identity {
  /** `arn:aws:sts::123456789012:assumed-role/importer/i-0abc` */
  readonly arn: string
  readonly account: string
}

/**
 * Asks STS of the region who the credentials are; needs no permission.
 * @throws an auth error without usable credentials, a network error when STS cannot be reached from here
 */
export async function callerIdentity(options: IdentityOptions): Promise<Identity> {
  const { region, env, signal, emit = silent } = options
  const endpoint = stsEndpoint(options)
  try {
    const [{ STS }, credentials] = await Promise.all([
      import('@aws-sdk/client-sts'),
      awsCredentials({ ...options, emit }),
    ])
    const sts = new STS({
      region,
      endpoint,
      credentials,
      useGlobalEndpoint: false,
      useFipsEndpoint: false,
      useDualstackEndpoint: false,
      maxAttempts: 2,
      requestHandler: connectionTo(endpoint, options),
      logger: sdkLogger(emit),
    })
    try {
      const { Arn: arn = '', Account: account = '' } = await sts.getCallerIdentity(
        {},
        signal === undefined ? {} : { abortSignal: signal },
      )
      return { arn, account }
    } finally {
      sts.destroy()
    }
  } catch (error) {
    throw awsError(error, { action: 'sts:GetCallerIdentity', endpoint: new URL(endpoint).host, region, env })
  }
}
