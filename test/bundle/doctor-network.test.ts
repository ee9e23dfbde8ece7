import { describe, expect, test } from 'vitest'
import {
  checkClock,
  checkDns,
  checkProxy,
  type Answer,
  type Endpoint,
} from '../../src/bundle/doctor/network.ts'

const endpoint: Endpoint = { what: 'ECR API', url: new URL('https://api.ecr.test/'), service: 'ecr.api' }
const registry: Endpoint = { what: 'registry', url: new URL('https://dkr.ecr.test/v2/'), service: 'ecr.dkr' }
const answers =
  (...addresses: string[]) =>
  async () =>
    addresses

const missing = async (): Promise<readonly string[]> => {
  throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })
}

describe('checkDns', () => {
  test.each([
    ['private addresses', answers('10.0.1.5', '172.31.2.7'), 'ok', '(private)'],
    ['private IPv6 addresses', answers('fd00::1'), 'ok', '(private)'],
    ['public addresses', answers('52.1.2.3'), 'ok', 'leads through the internet'],
    ['both', answers('10.0.1.5', '52.1.2.3'), 'warn', 'mixed'],
    ['loopback', answers('127.0.0.1'), 'ok', 'this machine'],
    ['no address', answers(), 'fail', 'has no address'],
    ['no such name', missing, 'fail', 'does not resolve (ENOTFOUND)'],
  ])('%s', async (_, lookup, status, detail) => {
    const check = await checkDns(endpoint, {}, lookup)
    expect(check).toMatchObject({
      name: 'DNS of the ECR API',
      status,
      detail: expect.stringContaining(detail),
    })
    if (status === 'fail') expect(check.fix).toContain('interface endpoint ecr.api')
  })

  test('leaves names to the proxy that looks them up', async () => {
    const check = await checkDns(endpoint, { HTTPS_PROXY: 'http://proxy.test:3128' }, missing)
    expect(check).toMatchObject({ status: 'ok', detail: expect.stringContaining('by the proxy') })
  })

  test('does not advise VPC endpoints for what is not ECR', async () => {
    const { service: _, ...plain } = endpoint
    expect((await checkDns(plain, {}, missing)).fix).toBe('check the name and the name servers')
  })
})

describe('checkProxy', () => {
  const env = { HTTPS_PROXY: 'http://user:secret@proxy.test:3128' }

  test.each([
    ['none', {}, answers('10.0.0.1'), 'ok', 'none set'],
    ['exempt', { ...env, NO_PROXY: '.ecr.test' }, answers('10.0.0.1'), 'ok', 'NO_PROXY exempts'],
    ['in use', env, answers('52.1.2.3'), 'ok', 'through proxy.test:3128'],
    ['in the way of private addresses', env, answers('10.0.0.1'), 'warn', 'would be reached directly'],
    ['in use where no name resolves', env, missing, 'ok', 'through proxy.test:3128'],
  ])('%s', async (_, vars, lookup, status, detail) => {
    const check = await checkProxy([registry, endpoint], vars, lookup)
    expect(check).toMatchObject({ status, detail: expect.stringContaining(detail) })
    expect(JSON.stringify(check)).not.toContain('secret')
  })

  test('writes down what to add', async () => {
    const { fix } = await checkProxy(
      [registry, endpoint],
      { ...env, NO_PROXY: 'api.ecr.test' },
      answers('10.0.0.1'),
    )
    expect(fix).toBe('add to NO_PROXY: dkr.ecr.test')
  })
})

describe('checkClock', () => {
  const answer = (aheadMs: number | undefined): Answer => ({ status: 401, headers: new Headers(), aheadMs })

  test.each([
    [[700], 'ok', 'right to within 1 s'],
    [[-90_000], 'warn', '1 min 30 s fast'],
    [[100, 600_000], 'warn', '10 min slow; AWS refuses'],
    [[undefined], 'warn', 'no endpoint reported its time'],
    [[], 'warn', 'no endpoint reported its time'],
  ])('%j', (ahead, status, detail) => {
    expect(checkClock(ahead.map(answer))).toMatchObject({ status, detail: expect.stringContaining(detail) })
  })

  test('does not mind an endpoint that gave no answer', () => {
    expect(checkClock([undefined, answer(0)]).status).toBe('ok')
  })
})
