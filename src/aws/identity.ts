import type { AwsConfig } from './config/config.ts'
import type { Emit } from '../lib/events.ts'
import { silent } from '../lib/events.ts'
import { awsCredentials, sdkLogger, stsEndpoint } from './credentials.ts'
import { awsError } from './errors.ts'
import type { AwsEvent } from './events.ts'
import { awsHttp, sdkTransport } from './transport.ts'

export interface IdentityOptions {
  readonly region: string
  readonly aws: AwsConfig
  readonly caFiles?: readonly string[]
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
  const { region, aws, caFiles, signal, emit = silent } = options
  const endpoint = stsEndpoint(options)
  const http = awsHttp(aws, caFiles)
  try {
    const [{ STS }, credentials] = await Promise.all([
      import('@aws-sdk/client-sts'),
      awsCredentials({ aws, http, region, emit }),
    ])
    const sts = new STS({
      region,
      endpoint,
      credentials,
      useGlobalEndpoint: false,
      useFipsEndpoint: false,
      useDualstackEndpoint: false,
      maxAttempts: 2,
      requestHandler: sdkTransport(http),
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
    throw awsError(error, { action: 'sts:GetCallerIdentity', endpoint: new URL(endpoint).host, region, aws })
  }
}
