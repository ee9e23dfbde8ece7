import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHttp } from '../../src/lib/http/client.ts'
import { refusalOf } from '../support/ecr-client.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { portOf } from '../support/name-proxy.ts'
import { startSocksProxy, type SocksOptions, type SocksProxy } from '../support/socks-proxy.ts'

const NAME = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'

let double: Ecr
let proxy: SocksProxy
const start = async (options: Partial<SocksOptions> = {}): Promise<void> => {
  proxy = await startSocksProxy({
    portOf: (host) => (host === NAME ? portOf(double.registry) : undefined),
    ...options,
  })
}
beforeEach(async () => {
  double = await startEcr()
})
afterEach(async () => {
  await Promise.all([proxy.stop(), double.stop()])
})

const ask = async (url: string, variable: string, caFiles = [double.caFile]) => {
  const http = createHttp({ env: { HTTPS_PROXY: variable, HTTP_PROXY: variable }, caFiles, stallSeconds: 10 })
  const get = async (): Promise<{ status: number; text: string }> => {
    const response = await http({ method: 'GET', url })
    return { status: response.status, text: await response.text() }
  }
  return { first: await get(), second: await get() }
}

describe('a SOCKS 5 proxy', () => {
  test.each(['socks5', 'socks5h'])('%s: it looks the name up, TLS is with the far end', async (scheme) => {
    await start()
    const { first, second } = await ask(`https://${NAME}/v2/`, `${scheme}://${proxy.address}`)
    expect([first.status, second.status]).toEqual([401, 401])
    expect(first.text).toBe('Not Authorized\n')
    // The second request went over the same connection.
    expect(proxy.asked).toEqual([`${NAME}:443`])
  })

  test('carries plain http, too', async () => {
    const server = createHttpServer((request, response) =>
      response.end(`${request.headers.host}${request.url}`),
    )
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    await start({ portOf: () => (server.address() as AddressInfo).port })
    const { first, second } = await ask('http://registry.inside:5000/v2/', `socks5://${proxy.address}`)
    server.close()
    server.closeAllConnections()
    expect(first.text).toBe('registry.inside:5000/v2/')
    expect(second.text).toBe(first.text)
    expect(proxy.asked).toEqual(['registry.inside:5000'])
  })

  test('takes a user and a password, also with characters of URLs', async () => {
    await start({ login: { user: 'me@corp', password: 'p:/?#' } })
    const { first } = await ask(`https://${NAME}/v2/`, `socks5h://me%40corp:p%3A%2F%3F%23@${proxy.address}`)
    expect(first.status).toBe(401)
  })

  test.each(['wrong:login@', ''])('says that it refuses the login "%s", not what it was', async (login) => {
    await start({ login: { user: 'me', password: 'secret' } })
    const error = await refusalOf(() => ask(`https://${NAME}/v2/`, `socks5://${login}${proxy.address}`))
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringContaining(`SOCKS proxy ${proxy.address}`),
    })
    expect(error).toHaveProperty('next', expect.stringContaining('user'))
    expect(error.message).not.toContain('wrong')
  })

  test('says that the machine behind it does not reach the host', async () => {
    await start()
    const error = await refusalOf(() => ask('https://elsewhere.inside/v2/', `socks5://${proxy.address}`))
    expect(error).toMatchObject({
      kind: 'network',
      code: 'EHOSTUNREACH',
      message: `elsewhere.inside cannot be reached from the SOCKS proxy ${proxy.address} (EHOSTUNREACH)`,
    })
  })

  test('says that there is no proxy', async () => {
    await start()
    await proxy.stop()
    const error = await refusalOf(() => ask(`https://${NAME}/v2/`, `socks5://${proxy.address}`))
    expect(error).toMatchObject({ kind: 'network', retryable: true })
    expect(error.message).toContain(`the SOCKS proxy ${proxy.address} gives no connection to ${NAME}`)
  })

  test('does not weaken TLS: neither another CA nor another name passes', async () => {
    await start({ portOf: () => portOf(double.registry) })
    const url = `socks5://${proxy.address}`
    const untrusted = await refusalOf(() => ask(`https://${NAME}/v2/`, url, []))
    expect(untrusted.message).toContain('signed by a CA that is not trusted')
    const other = await refusalOf(() => ask('https://other.example/v2/', url))
    expect(other.message).toContain('its certificate is for another host name')
  })
})

test.each(['socks4://h:1', 'ftp://h:1', 'socks5://'])('%s is refused with what is right', async (url) => {
  await start()
  const error = await refusalOf(() => ask(`https://${NAME}/v2/`, url))
  expect(error).toMatchObject({ kind: 'usage', next: expect.stringContaining('socks5h://127.0.0.1:1080') })
})
