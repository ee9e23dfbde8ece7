import { messageOf } from '../../lib/errors.ts'
import { silent, type Emit } from '../../lib/events.ts'
import type { AwsConfig } from '../config/config.ts'
import { awsCredentials, sdkLogger } from '../credentials.ts'
import type { AwsEvent } from '../events.ts'
import { COMMERCIAL, ecrPublicApi } from '../partition.ts'
import { awsHttp, sdkTransport } from '../transport.ts'
import { sharedLogin, type EcrLogin, type EcrToken } from './login.ts'

/** Where ECR Public logs in, wherever one pulls from. https://docs.aws.amazon.com/general/latest/gr/ecr-public.html */
export const PUBLIC_REGION = 'us-east-1'

export interface PublicLoginOptions {
  readonly aws: AwsConfig
  readonly caFiles?: readonly string[]
  readonly signal?: AbortSignal
  readonly emit?: Emit<AwsEvent>
  /** Called once with the reason why pulls are anonymous; for `--verbose`. */
  readonly onAnonymous?: (reason: string) => void
}

/**
 * Logs in to public.ecr.aws with whatever AWS credentials there are: ten pulls a second instead of one. Without
 * credentials, or when they are refused, pulls stay anonymous, which is all that is needed; hence `undefined`
 * and no error. The result is Basic and belongs to the token endpoint of public.ecr.aws, which speaks Bearer.
 */
export async function publicEcrLogin(options: PublicLoginOptions): Promise<EcrLogin | undefined> {
  const login = sharedLogin(
    () => fetchToken(options),
    () => undefined,
  )
  try {
    await login()
    return login
  } catch (error) {
    options.signal?.throwIfAborted()
    options.onAnonymous?.(messageOf(error))
    return undefined
  }
}

// --- internal ---

/** A step that is not needed may not hold up those that are, where a firewall swallows what is sent. */
const PATIENCE_MS = 8_000

async function fetchToken(options: PublicLoginOptions): Promise<EcrToken> {
  const { aws, caFiles, signal, emit = silent } = options
  const http = awsHttp(aws, caFiles)
  const [{ ECRPUBLIC }, credentials] = await Promise.all([
    import('@aws-sdk/client-ecr-public'),
    awsCredentials({ aws, http, emit, region: aws.region ?? PUBLIC_REGION }),
  ])
  const endpoint = aws.endpoint('ECR_PUBLIC') ?? ecrPublicApi(PUBLIC_REGION, COMMERCIAL, aws.variant)
  const api = new ECRPUBLIC({
    region: PUBLIC_REGION,
    endpoint,
    credentials,
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    maxAttempts: 2,
    requestHandler: sdkTransport(http),
    logger: sdkLogger(emit),
  })
  const patience = AbortSignal.timeout(PATIENCE_MS)
  try {
    const { authorizationData } = await api.getAuthorizationToken(
      {},
      { abortSignal: signal === undefined ? patience : AbortSignal.any([signal, patience]) },
    )
    const { authorizationToken, expiresAt } = authorizationData ?? {}
    if (authorizationToken === undefined) throw new Error('ECR Public answered without a token')
    return { authorizationToken, ...(expiresAt === undefined ? {} : { expiresAt }) }
  } finally {
    api.destroy()
  }
}
