import { awsConfig } from '../../src/aws/config/config.ts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createEcr } from '../../src/aws/ecr/client.ts'
import { parseEcrHost } from '../../src/aws/host.ts'
import { callerIdentity } from '../../src/aws/identity.ts'
import { ecrLogin } from '../../src/aws/ecr/login.ts'
import { doctor, type Check } from '../../src/bundle/doctor/doctor.ts'
import type { EcrPatient } from '../../src/bundle/doctor/ecr.ts'
import { createHttp } from '../../src/lib/http/client.ts'
import { createClient } from '../../src/registry/client.ts'
import { startEcr, type Ecr as Double } from '../support/ecr/server.ts'
import { portOf, startNameProxy, type NameProxy } from '../support/name-proxy.ts'

const REGISTRY = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
const API = 'api.ecr.eu-central-1.amazonaws.com'
const STS = 'sts.eu-central-1.amazonaws.com'
const BUCKET = 'prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com'

let double: Double
let proxy: NameProxy
let missing: string[]
beforeEach(async () => {
  missing = []
  double = await startEcr()
  const ports = new Map([
    [REGISTRY, double.registry],
    [API, double.endpoint],
    [STS, double.endpoint],
    [BUCKET, double.downloadOrigin],
  ])
  proxy = await startNameProxy((host) =>
    missing.includes(host) ? undefined : portOf(ports.get(host) ?? ':1'),
  )
})
afterEach(async () => {
  await Promise.all([proxy.stop(), double.stop()])
})

/** As a person would examine the real registry, by its real name. */
async function examine(more: Partial<EcrPatient> = {}): Promise<readonly Check[]> {
  const env = {
    AWS_ACCESS_KEY_ID: double.environment['AWS_ACCESS_KEY_ID'],
    AWS_SECRET_ACCESS_KEY: double.environment['AWS_SECRET_ACCESS_KEY'],
    HTTPS_PROXY: proxy.url,
  }
  const host = parseEcrHost(REGISTRY)
  if (host === undefined) throw new Error(`not an ECR host: ${REGISTRY}`)
  const caFiles = [double.caFile]
  const aws = awsConfig(env)
  const { signal } = new AbortController()
  const http = createHttp({ env, caFiles })
  const ecr = createEcr({ host, aws, caFiles, signal, attempts: 1 })
  const checks: Check[] = []
  for await (const check of doctor({
    registry: REGISTRY,
    origin: `https://${REGISTRY}`,
    client: createClient({ http, signal }),
    http,
    env,
    signal,
    folder: '.',
    lookup: async () => ['203.0.113.7'],
    ecr: {
      ecr,
      login: ecrLogin(ecr),
      whoAmI: () => callerIdentity({ region: ecr.region, aws, caFiles, signal }),
      prefixes: ['mirrored', 'charts'],
      ...more,
    },
  })) {
    checks.push(check)
  }
  ecr.close()
  return checks
}

describe('doctor of a registry by its real name', () => {
  test('speaks to the four regional names, and to nobody else', async () => {
    const checks = await examine()
    expect(checks.filter(({ status }) => status === 'fail')).toEqual([])
    expect(checks[0]?.detail).toBe('ECR in eu-central-1, partition aws, account 123456789012')
    const names = new Set(proxy.asked.map((target) => target.replace(':443', '')))
    expect([...names].toSorted()).toEqual([REGISTRY, API, BUCKET, STS].toSorted())
    expect(checks.find(({ name }) => name.includes('S3'))?.status).toBe('ok')
  })

  test('warns of pulls that will fail for want of S3', async () => {
    missing.push(BUCKET)
    const check = (await examine()).find(({ name }) => name.includes('S3'))
    expect(check).toMatchObject({ status: 'warn' })
    expect(check?.fix).toContain('gateway endpoint for S3')
  })

  test('fails without the API, and says which endpoint is missing', async () => {
    missing.push(API)
    const checks = await examine()
    const check = checks.find(({ name }) => name === 'connection to the ECR API')
    expect(check).toMatchObject({ status: 'fail' })
    expect(check?.fix).toContain('interface endpoint ecr.api')
    expect(checks.some(({ name }) => name === 'login')).toBe(false)
  })

  test('goes on without STS', async () => {
    missing.push(STS)
    const checks = await examine()
    expect(checks.find(({ name }) => name === 'credentials')).toMatchObject({ status: 'warn' })
    expect(checks.find(({ name }) => name === 'login')).toMatchObject({ status: 'ok' })
  })

  test('warns of credentials from another account', async () => {
    const whoAmI = async () => ({ arn: 'arn:aws:iam::210987654321:user/me', account: '210987654321' })
    const check = (await examine({ whoAmI })).find(({ name }) => name === 'credentials')
    expect(check).toMatchObject({ status: 'warn', detail: expect.stringContaining('of another account') })
  })
})
