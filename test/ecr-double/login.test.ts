import { GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { ask, present, sdk, told } from './client.ts'

let ecr: Ecr

beforeAll(async () => {
  ecr = await startEcr({ tls: false, tokenSeconds: 60 })
})
afterAll(() => ecr.stop())

const tokenOf = async (ecr: Ecr) => {
  const { authorizationData } = await sdk(ecr).send(new GetAuthorizationTokenCommand({}))
  return present(authorizationData?.[0])
}

describe('the login', () => {
  test('is challenged with Basic and a text that is not JSON', async () => {
    for (const path of ['/v2/', '/v2/a/b/manifests/1', '/v2/_catalog']) {
      const response = await ask(ecr, path, { token: null })
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe(
        `Basic realm="http://${ecr.registry}/",service="ecr.amazonaws.com"`,
      )
      expect(response.headers.get('content-type')).toMatch(/^text\/plain/)
      expect(await response.text()).toBe('Not Authorized\n')
    }
    const bearer = await ask(ecr, '/v2/', { token: null, headers: { authorization: 'Bearer x' } })
    expect(bearer.status).toBe(401)
    expect(ecr.log.counts()).toEqual({})
  })

  test('takes the token of GetAuthorizationToken as it is, and it is long', async () => {
    const { authorizationToken, expiresAt, proxyEndpoint } = await tokenOf(ecr)
    const token = present(authorizationToken)
    expect(atob(token)).toMatch(/^AWS:/)
    expect(token.length).toBeGreaterThan(1500)
    expect(proxyEndpoint).toBe(`http://${ecr.registry}`)
    expect(present(expiresAt).getTime()).toBeGreaterThan(Date.now() + 50_000)
    expect((await ask(ecr, '/v2/', { token })).status).toBe(200)
  })

  test('says when the token has expired', async () => {
    const token = ecr.token()
    ecr.advance(61)
    expect(await told(await ask(ecr, '/v2/a/tags/list', { token }))).toBe(
      '403 DENIED Your authorization token has expired. Reauthenticate and try again.',
    )
    expect((await ask(ecr, '/v2/')).status).toBe(200)
    ecr.advance(-61)
  })

  test('refuses the token of another region, and a password that ECR never gave', async () => {
    const other = await startEcr({ tls: false, region: 'us-west-2' })
    const garbage = btoa('AWS:letmein')
    for (const token of [other.token(), garbage])
      expect(await told(await ask(ecr, '/v2/', { token }))).toBe(
        '403 DENIED Your Authorization Token is invalid.',
      )
    await other.stop()
  })

  test('names the host that the client called', async () => {
    const host = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
    const response = await ask(ecr, '/v2/', { token: null, headers: { host } })
    expect(response.headers.get('www-authenticate')).toContain(`realm="http://${host}/"`)
  })
})
