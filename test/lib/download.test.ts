import { createServer, type Server } from 'node:net'
import { readFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { download, getFollowing } from '../../src/lib/http/get.ts'
import { createHttp, type Http, type HttpResponse } from '../../src/lib/http/client.ts'
import { createAuthority, type TestAuthority } from '../support/certificates.ts'

const http = createHttp()
const quick = { limit: 1024, policy: { baseMs: 1, maxMs: 2 } }
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

let authority: TestAuthority
beforeAll(async () => {
  authority = await createAuthority()
})
afterAll(() => authority.remove())

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

function serve(fetch: (request: Request) => Response, tls?: { cert: string; key: string }) {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch, ...(tls === undefined ? {} : { tls }) })
  stops.push(() => server.stop(true))
  return server
}

describe('download', () => {
  it('follows redirects and says where the content came from, without its query', async () => {
    const { port } = serve((request) =>
      new URL(request.url).pathname === '/a'
        ? new Response(null, { status: 302, headers: { location: 'b?signature=secret' } })
        : new Response('content'),
    )
    const { content, url } = await download(http, `http://127.0.0.1:${port}/a`, quick)
    expect(text(content)).toBe('content')
    expect(url).toBe(`http://127.0.0.1:${port}/b`)
  })

  it('starts again when the connection is cut in the middle', async () => {
    let tries = 0
    const server: Server = createServer((socket) => {
      socket.once('data', () => {
        tries += 1
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234')
        if (tries === 1) socket.destroy()
        else socket.end('56789')
      })
    })
    await new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', done)
    })
    stops.push(() => new Promise((done) => server.close(done)))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const retries: number[] = []
    const { content } = await download(http, `http://127.0.0.1:${port}/`, {
      ...quick,
      onRetry: (attempt) => retries.push(attempt),
    })
    expect(text(content)).toBe('0123456789')
    expect(retries).toEqual([1])
  })

  it('refuses more than the limit', async () => {
    const { port } = serve(() => new Response('x'.repeat(2000)))
    await expect(download(http, `http://127.0.0.1:${port}/big?k=secret`, quick)).rejects.toMatchObject({
      kind: 'integrity',
      message: `http://127.0.0.1:${port}/big has more than 1024 bytes`,
    })
  })

  it('gives up after as many tries as it is told', async () => {
    let asked = 0
    const { port } = serve(() => {
      asked += 1
      return new Response('<html><title>down</title></html>', { status: 502 })
    })
    const options = { ...quick, policy: { ...quick.policy, attempts: 3 } }
    await expect(download(http, `http://127.0.0.1:${port}/`, options)).rejects.toMatchObject({
      kind: 'network',
      message: `http://127.0.0.1:${port}/ answers 502`,
    })
    expect(asked).toBe(3)
  })

  it('stops when it is cancelled', async () => {
    const { port } = serve(() => new Response('busy', { status: 503 }))
    const controller = new AbortController()
    const options = {
      limit: 10,
      signal: controller.signal,
      policy: { baseMs: 60_000 },
      onRetry: () => controller.abort(),
    }
    await expect(download(http, `http://127.0.0.1:${port}/`, options)).rejects.toMatchObject({
      kind: 'cancelled',
    })
  })
})

describe('a redirect', () => {
  it('may not give up TLS', async () => {
    const { certFile, keyFile } = await authority.issue('download')
    const plain = serve(() => new Response('content'))
    const secure = serve(() => Response.redirect(`http://127.0.0.1:${plain.port}/x`, 302), {
      cert: await readFile(certFile, 'utf8'),
      key: await readFile(keyFile, 'utf8'),
    })
    const trusting = createHttp({ caFiles: [authority.caFile] })
    await expect(getFollowing(trusting, `https://127.0.0.1:${secure.port}/`)).rejects.toMatchObject({
      kind: 'network',
      message: `https://127.0.0.1:${secure.port}/ redirects to http://127.0.0.1:${plain.port}/x, which is refused: it gives up TLS`,
    })
  })

  it.each([
    ['http://169.254.169.254/latest/meta-data', 'the address is not on the internet'],
    ['http://[::1]/x', 'the address is not on the internet'],
    ['file:///etc/passwd', 'it is neither https nor http'],
  ])('from a public host may not lead to %s', async (location, why) => {
    const asked: string[] = []
    // No public host can be asked here: its one answer is written down.
    const publicHost: Http = ({ url }) => {
      asked.push(url)
      const response: HttpResponse = {
        status: 302,
        url,
        headers: new Headers({ location }),
        body: (async function* () {})(),
        text: () => Promise.resolve(''),
        discard: () => Promise.resolve(),
      }
      return Promise.resolve(response)
    }
    await expect(getFollowing(publicHost, 'http://charts.example/')).rejects.toMatchObject({
      message: expect.stringContaining(why),
    })
    expect(asked).toEqual(['http://charts.example/'])
  })
})
