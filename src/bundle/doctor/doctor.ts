// Tries whatever an import needs before it runs, and changes nothing.
import { statfs } from 'node:fs/promises'
import { BundleError } from '../../lib/errors.ts'
import { formatBytes } from '../../lib/format.ts'
import type { Http } from '../../lib/http/client.ts'
import type { Env } from '../../lib/http/proxy.ts'
import type { RegistryClient } from '../../registry/client.ts'
import { fail, failed, ok, warn, type Check } from './check.ts'
import {
  checkIdentity,
  checkLayers,
  checkLogin,
  checkMounting,
  checkQuota,
  checkRights,
  type EcrPatient,
} from './ecr.ts'
import {
  checkClock,
  checkDns,
  checkProxy,
  checkReach,
  systemLookup,
  type Answer,
  type Endpoint,
  type Lookup,
} from './network.ts'

export type { Check } from './check.ts'

export interface DoctorOptions {
  /** Host, with port if it has one. */
  readonly registry: string
  /** Where it answers: `https://host`. */
  readonly origin: string
  readonly client: RegistryClient
  readonly http: Http
  readonly env: Env
  readonly signal: AbortSignal
  /** Of which the free space counts. */
  readonly folder: string
  /** Only for a registry that is ECR. */
  readonly ecr?: EcrPatient
  readonly lookup?: Lookup
}

/**
 * Looks at everything an import into a registry needs, from the name server to the permissions, and changes nothing
 * there. Each check comes as soon as it is known; what depends on a failed one is left out.
 */
export async function* doctor(options: DoctorOptions): AsyncGenerator<Check> {
  const { registry, ecr, env, http, signal } = options
  const resolve = options.lookup ?? systemLookup
  yield ok(
    'registry',
    ecr === undefined ? `${registry} is an OCI registry, not ECR` : describe(registry, ecr),
  )
  const endpoints = endpointsOf(options)
  for (const endpoint of endpoints) yield checkDns(endpoint, env, resolve)
  yield checkProxy(endpoints, env, resolve)
  const answers: (Answer | undefined)[] = []
  for (const endpoint of endpoints) {
    const { check, answer } = await checkReach(endpoint, http, env, signal)
    answers.push(answer)
    yield check
  }
  if (answers.some((answer) => answer !== undefined)) yield checkClock(answers)
  const unreached = endpoints.filter((_, at) => answers[at] === undefined)
  if (unreached.length > 0) {
    yield warn(
      'the rest',
      `not checked, because the ${unreached.map(({ what }) => what).join(' and the ')} cannot be reached`,
    )
  } else if (ecr === undefined) yield checkPlainLogin(options)
  else yield* checkEcr(options, ecr, answers[0])
  yield checkDisk(options.folder)
}

// --- internal ---

/** The registry first. */
function endpointsOf({ origin, ecr }: DoctorOptions): Endpoint[] {
  const registry = { what: 'registry', url: new URL('/v2/', origin) }
  if (ecr === undefined) return [registry]
  const real = ecr.ecr.host !== undefined
  return [
    { ...registry, ...(real ? { service: 'ecr.dkr' } : {}) },
    { what: 'ECR API', url: new URL(ecr.ecr.endpoint), ...(real ? { service: 'ecr.api' } : {}) },
  ]
}

function describe(registry: string, { ecr }: EcrPatient): string {
  const { host, region, partition } = ecr
  if (host === undefined) return `${registry} is taken to be ECR in ${region}`
  const kinds = [host.fips ? 'FIPS' : [], host.dualStack ? 'dual-stack' : []].flat()
  const kind = kinds.length === 0 ? '' : ` (${kinds.join(', ')})`
  return `ECR${kind} in ${region}, partition ${partition.id}, account ${host.account}`
}

async function* checkEcr(
  options: DoctorOptions,
  patient: EcrPatient,
  open: Answer | undefined,
): AsyncGenerator<Check> {
  const { http, origin, signal } = options
  const challenge = open?.headers.get('www-authenticate') ?? ''
  yield open?.status === 401 && /^basic/i.test(challenge)
    ? ok('registry without login', 'answers 401 and asks for Basic, as ECR does')
    : warn(
        'registry without login',
        `answers ${open?.status}, where ECR answers 401`,
        'see whether something else answers at this name',
      )
  const identity = await checkIdentity(patient)
  yield identity
  if (identity.status === 'fail') return
  const login = await checkLogin(patient, http, new URL('/v2/', origin).href, signal)
  yield login
  if (login.status === 'fail') return
  const { check: quota, all } = await checkQuota(patient)
  yield* checkRights(patient, all)
  yield quota
  yield checkMounting(patient)
  const layers = await checkLayers(patient, all, http, signal)
  if (layers !== undefined) yield layers
}

async function checkPlainLogin({ client, registry }: DoctorOptions): Promise<Check> {
  const name = 'login'
  try {
    const response = await client.once({
      registry,
      method: 'GET',
      path: '/v2/',
      expect: [200],
      where: registry,
    })
    await response.discard()
    return ok(name, 'the registry takes the credentials, or needs none for reading')
  } catch (error) {
    if (error instanceof BundleError && error.kind === 'failed') {
      return fail(
        name,
        error.message,
        'see whether this is the address of a registry: it has to answer 200 or 401 at /v2/',
      )
    }
    return failed(name, error)
  }
}

async function checkDisk(folder: string): Promise<Check> {
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  const text = `${formatBytes(free)} free in this folder; an import needs nothing next to the bundle, an export its size`
  return free < 1024 ** 3 ? warn('disk', text, 'free some space before an export') : ok('disk', text)
}
