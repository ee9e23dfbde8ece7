import { messageOf } from '../../lib/errors.ts'
import { AwsError } from '../errors.ts'
import { parseEcrHost } from '../host.ts'
import type { Ecr } from './client.ts'

/** Gives the value of the `Authorization` header for the registry; `refresh` after the registry refused the last one. */
export type EcrLogin = (options?: {
  readonly refresh?: boolean
}) => Promise<{ readonly authorization: string }>

/** What an API handed out: a token of `AWS:<password>` in base64. */
export interface EcrToken {
  readonly authorizationToken: string
  readonly expiresAt?: Date | undefined
  readonly proxyEndpoint?: string | undefined
}

/**
 * Logs in to a private registry: one token for all callers, good for all repositories, renewed at 80 % of its life.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
 */
export function ecrLogin(ecr: Ecr): EcrLogin {
  return sharedLogin(
    async () => {
      const token = await ecr.call('GetAuthorizationToken', async (api, options) => {
        const { authorizationData } = await api.getAuthorizationToken({}, options)
        return authorizationData?.[0]
      })
      if (token?.authorizationToken === undefined) {
        throw new AwsError('ecr:GetAuthorizationToken answered without a token', 'EmptyAnswer', {
          kind: 'auth',
          where: `${new URL(ecr.endpoint).host} (${ecr.region})`,
          next: 'look at what answers there: --endpoint-url, AWS_ENDPOINT_URL_ECR, a proxy',
        })
      }
      checkRegion(ecr, token.proxyEndpoint)
      return { ...token, authorizationToken: token.authorizationToken }
    },
    (reason) => {
      ecr.emit({
        type: 'warning',
        message: `the login could not be renewed early, the old one stays in use: ${reason}`,
      })
    },
  )
}

/** One token for many callers: fetched once, shared while in flight, renewed before its end. */
export function sharedLogin(fetchToken: () => Promise<EcrToken>, onLate: (reason: string) => void): EcrLogin {
  let held: Held | undefined
  let flight: Promise<Held> | undefined

  const renew = (): Promise<Held> => {
    flight ??= fetchToken()
      .then((token) => (held = hold(token)))
      .finally(() => {
        flight = undefined
      })
    return flight
  }

  return async ({ refresh = false } = {}) => {
    const now = Date.now()
    if (refresh || held === undefined) return { authorization: (await renew()).authorization }
    if (now < held.renewAt) return { authorization: held.authorization }
    const old = held
    try {
      return { authorization: (await renew()).authorization }
    } catch (error) {
      if (now >= old.expiresAt) throw error
      onLate(messageOf(error))
      // Not again with the next request, but well before the end.
      old.renewAt = now + (old.expiresAt - now) / 4
      return { authorization: old.authorization }
    }
  }
}

// --- internal ---

interface Held {
  readonly authorization: string
  renewAt: number
  readonly expiresAt: number
}

const TWELVE_HOURS = 12 * 3600 * 1000

/**
 * The clock here may be wrong, and emulators answer with a date long past: then the life is not known, and twelve
 * hours, the longest that ECR gives, are assumed; a refusal renews it anyway.
 */
function hold({ authorizationToken, expiresAt }: EcrToken): Held {
  const now = Date.now()
  const said = (expiresAt?.getTime() ?? 0) - now
  const life = said > 0 && said < TWELVE_HOURS ? said : TWELVE_HOURS
  return { authorization: `Basic ${authorizationToken}`, renewAt: now + life * 0.8, expiresAt: now + life }
}

/** A token is only good in the region that gave it. */
function checkRegion(ecr: Ecr, proxyEndpoint: string | undefined): void {
  if (ecr.host === undefined || proxyEndpoint === undefined || !URL.canParse(proxyEndpoint)) return
  const given = parseEcrHost(new URL(proxyEndpoint).host)
  if (given === undefined || given.region === ecr.host.region) return
  throw new AwsError(
    `the login is for ECR in ${given.region}, but the registry is in ${ecr.host.region}: it would be refused`,
    'WrongRegion',
    {
      kind: 'auth',
      where: ecr.host.host,
      next: 'leave out --region, --endpoint-url and AWS_ENDPOINT_URL_ECR, or let them name the region of the registry',
    },
  )
}
