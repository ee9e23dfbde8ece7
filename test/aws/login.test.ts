import { awsConfig } from '../../src/aws/config/config.ts'
import { afterEach, describe, expect, test } from 'vitest'
import type { Ecr } from '../../src/aws/ecr/client.ts'
import { AwsError } from '../../src/aws/errors.ts'
import { parseEcrHost } from '../../src/aws/host.ts'
import { ecrLogin, sharedLogin, type EcrToken } from '../../src/aws/ecr/login.ts'
import { BundleError } from '../../src/lib/errors.ts'
import { openEcr, refusalOf } from '../support/ecr-client.ts'
import { startEcr, type Ecr as Double, type EcrOptions } from '../support/ecr/server.ts'

let double: Double | undefined
afterEach(async () => double?.stop())

async function start(options: EcrOptions = {}): Promise<Double> {
  double = await startEcr(options)
  return double
}

describe('ecrLogin', () => {
  test('asks once for many callers, and gives what the registry takes verbatim', async () => {
    const server = await start()
    const login = ecrLogin(openEcr(server).ecr)
    const answers = await Promise.all(Array.from({ length: 20 }, () => login()))
    expect(server.log.count('GetAuthorizationToken')).toBe(1)
    const [{ authorization } = { authorization: '' }] = answers
    expect(new Set(answers.map((answer) => answer.authorization)).size).toBe(1)
    expect(atob(authorization.replace('Basic ', ''))).toMatch(/^AWS:.+/)
  })

  test('asks again on refresh, once for those who ask together', async () => {
    const server = await start()
    const login = ecrLogin(openEcr(server).ecr)
    const before = await login()
    const after = await Promise.all([
      login({ refresh: true }),
      login({ refresh: true }),
      login({ refresh: true }),
    ])
    expect(server.log.count('GetAuthorizationToken')).toBe(2)
    expect(new Set(after.map(({ authorization }) => authorization)).size).toBe(1)
    expect(after[0]?.authorization).not.toBe(before.authorization)
  })

  test('tells by name which credentials were refused', async () => {
    const server = await start()
    const env = { ...server.environment, AWS_ACCESS_KEY_ID: 'AKIAUNKNOWNUNKNOWN00' }
    const error = await refusalOf(() => ecrLogin(openEcr(server, { aws: awsConfig(env) }).ecr)())
    expect(error).toMatchObject({ kind: 'auth', exception: 'UnrecognizedClientException' })
    expect(error).toHaveProperty('next', expect.stringContaining('tried AWS_ACCESS_KEY_ID'))
    expect(server.log.count('GetAuthorizationToken')).toBe(0)
  })

  test('reads a bad signature as a wrong clock or key', async () => {
    const server = await start()
    const env = { ...server.environment, AWS_SECRET_ACCESS_KEY: 'wrong' }
    const error = await refusalOf(() => ecrLogin(openEcr(server, { aws: awsConfig(env) }).ecr)())
    expect(error).toMatchObject({ kind: 'auth', exception: 'InvalidSignatureException' })
    expect(error).toHaveProperty('next', expect.stringContaining('clock'))
  })

  test('copes with a clock that is half an hour off, as the SDK corrects it', async () => {
    const server = await start({ clockSkewSeconds: 1800 })
    await expect(ecrLogin(openEcr(server).ecr)()).resolves.toHaveProperty('authorization')
  })

  test('says that the permission is missing, and where to find all of them', async () => {
    const server = await start({ denied: ['GetAuthorizationToken'] })
    const error = await refusalOf(() => ecrLogin(openEcr(server).ecr)())
    expect(error).toBeInstanceOf(AwsError)
    expect(error).toMatchObject({ kind: 'auth', exception: 'AccessDeniedException' })
    expect(error.message).toContain('ecr:GetAuthorizationToken')
    expect(error).toHaveProperty('next', expect.stringContaining('iam-policy'))
  })

  test('refuses a login that is for another region than the registry', async () => {
    const server = await start({ region: 'us-west-2' })
    const host = parseEcrHost('123456789012.dkr.ecr.us-east-1.amazonaws.com')
    if (host === undefined) throw new Error('not an ECR host')
    const { ecr } = openEcr(server, { host, region: 'us-west-2' })
    // The double answers with its own address; ECR answers with the registry's name.
    const renamed: Ecr['call'] = async (action, run, where) => {
      const token = await ecr.call(action, run, where)
      return Object.assign({}, token, {
        proxyEndpoint: 'https://123456789012.dkr.ecr.us-west-2.amazonaws.com',
      })
    }
    const error = await refusalOf(() => ecrLogin({ ...ecr, call: renamed })())
    expect(error.message).toContain('for ECR in us-west-2, but the registry is in us-east-1')
    expect(error).toHaveProperty('kind', 'auth')
  })

  test('stops when it is told to', async () => {
    const server = await start({
      faults: {
        faults: [{ on: { action: 'GetAuthorizationToken' }, fault: { kind: 'delay', ms: 2000 } }],
      },
    })
    const controller = new AbortController()
    const { ecr } = openEcr(server, { signal: controller.signal })
    const pending = refusalOf(() => ecrLogin(ecr)())
    setTimeout(() => controller.abort(), 50)
    expect(await pending).toHaveProperty('kind', 'cancelled')
  })

  test('reports what it tries again', async () => {
    const server = await start({
      faults: { faults: [{ on: { action: 'GetAuthorizationToken' }, fault: { kind: 'close' }, times: 2 }] },
    })
    const { ecr, events } = openEcr(server)
    await ecrLogin(ecr)()
    expect(events.map((event) => event.type)).toEqual(['retry', 'retry'])
    expect(events[0]).toMatchObject({ what: 'ecr:GetAuthorizationToken', attempt: 2 })
  })
})

describe('sharedLogin', () => {
  const tokens = (...lives: (number | undefined)[]) => {
    let asked = 0
    const fetchToken = async (): Promise<EcrToken> => {
      const life = lives[asked]
      asked += 1
      if (life === undefined && asked > lives.length) throw new BundleError('no more', { kind: 'network' })
      return {
        authorizationToken: `token${asked}`,
        expiresAt: life === undefined ? undefined : new Date(Date.now() + life),
      }
    }
    return { fetchToken, asked: () => asked }
  }
  const ignore = (): void => undefined

  test('keeps a token that is said to have expired long ago, as emulators say', async () => {
    const { fetchToken, asked } = tokens(-3_600_000)
    const login = sharedLogin(fetchToken, ignore)
    await login()
    expect(await login()).toEqual({ authorization: 'Basic token1' })
    expect(asked()).toBe(1)
  })

  test('renews at 80 % of the life', async () => {
    const { fetchToken, asked } = tokens(1000, 3_600_000)
    const login = sharedLogin(fetchToken, ignore)
    await login()
    await new Promise((done) => setTimeout(done, 810))
    expect(await login()).toEqual({ authorization: 'Basic token2' })
    expect(asked()).toBe(2)
  })

  test('goes on with the old token while it lives when it cannot be renewed early', async () => {
    const { fetchToken } = tokens(2000)
    const late: string[] = []
    const login = sharedLogin(fetchToken, (reason) => late.push(reason))
    await login()
    await new Promise((done) => setTimeout(done, 1610))
    expect(await login()).toEqual({ authorization: 'Basic token1' })
    expect(late).toEqual(['no more'])
    await expect(login({ refresh: true })).rejects.toThrow('no more')
  })

  test('forgets a failure', async () => {
    let fails = true
    const login = sharedLogin(async () => {
      if (fails) throw new BundleError('down', { kind: 'network' })
      return { authorizationToken: 'x' }
    }, ignore)
    await expect(login()).rejects.toThrow('down')
    fails = false
    expect(await login()).toEqual({ authorization: 'Basic x' })
  })
})
