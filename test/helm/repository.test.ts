import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { fetchChart, locateChart, resolveReferenceUrl } from '../../src/helm/repository.ts'
import { createHttp } from '../../src/lib/http/client.ts'
import { createOnce } from '../../src/lib/once.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { layerOf } from '../support/images.ts'

const tgz = layerOf({ 'web/Chart.yaml': 'name: web\nversion: v1.2.3\n' })
const sha = digestOf(tgz).slice('sha256:'.length)
const http = createHttp()
const quick = { policy: { baseMs: 1, maxMs: 2 } }

interface Seen {
  readonly path: string
  readonly authorization: string | null
}

/** A chart repository over a real socket; what it answers is up to `answer`. */
function serve(answer: (url: URL, request: Request) => Response | undefined) {
  const seen: Seen[] = []
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      const url = new URL(request.url)
      seen.push({ path: url.pathname + url.search, authorization: request.headers.get('authorization') })
      return answer(url, request) ?? new Response('no such thing', { status: 404 })
    },
  })
  stops.push(() => server.stop(true))
  return { url: `http://127.0.0.1:${server.port}`, seen }
}

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const indexWith = (url: string, digest = sha): string =>
  `apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: v1.2.3\n    digest: ${digest}\n    urls:\n    - ${url}\n`

/** Index and chart where they usually are. */
const usual =
  (listed: string, options: { readonly digest?: string; readonly content?: Uint8Array } = {}) =>
  (url: URL): Response | undefined => {
    if (url.pathname.endsWith('/index.yaml')) return new Response(indexWith(listed, options.digest))
    return url.pathname.endsWith('.tgz') ? new Response(new Uint8Array(options.content ?? tgz)) : undefined
  }

async function get(repository: string, options = {}): Promise<Uint8Array> {
  const location = await locateChart(http, repository, 'web', '1.2.3', { ...quick, ...options })
  return fetchChart(http, repository, location, { ...quick, ...options })
}

describe('a chart repository', () => {
  it.each([
    ['a relative URL', '', 'charts/web-v1.2.3.tgz', '/charts/web-v1.2.3.tgz'],
    ['a relative URL below a path', '/stable', 'web.tgz', '/stable/web.tgz'],
    ['a path with a final slash', '/stable/', 'web.tgz', '/stable/web.tgz'],
    ['a URL from the root', '/stable', '/files/web.tgz', '/files/web.tgz'],
    ['a query, which the chart inherits', '/r?token=a%2Fb', 'web.tgz', '/r/web.tgz?token=a%2Fb'],
  ])('serves %s', async (_, path, listed, asked) => {
    const { url, seen } = serve(usual(listed))
    expect(digestOf(await get(url + path))).toBe(digestOf(tgz))
    expect(seen.map((request) => request.path)[1]).toBe(asked)
    expect(seen).toHaveLength(2)
  })

  it('may keep charts on another host, to which no password goes', async () => {
    const files = serve(usual(''))
    const { url, seen } = serve(usual(`${files.url}/web.tgz`))
    await get(url, { credentials: { username: 'me', password: 'hunter2' } })
    expect(seen.map(({ authorization }) => authorization)).toEqual([`Basic ${btoa('me:hunter2')}`])
    expect(files.seen.map(({ authorization }) => authorization)).toEqual([null])
  })

  it('gets the password again for its own charts, but not after a redirect elsewhere', async () => {
    const files = serve(usual(''))
    const { url, seen } = serve((asked) =>
      asked.pathname === '/web.tgz'
        ? Response.redirect(`${files.url}/x/web.tgz`, 302)
        : usual('web.tgz')(asked),
    )
    await get(url, { credentials: { username: 'me', password: 'hunter2' } })
    expect(seen.map(({ authorization }) => authorization !== null)).toEqual([true, true])
    expect(files.seen).toEqual([{ path: '/x/web.tgz', authorization: null }])
  })

  it('names an OCI address for another client to fetch', async () => {
    const { url } = serve(usual('oci://ghcr.io/team/charts/web:1.2.3'))
    const location = await locateChart(http, url, 'web', '1.2.3')
    expect(location).toEqual({
      name: 'web',
      version: 'v1.2.3',
      sha256: sha,
      url: 'oci://ghcr.io/team/charts/web:1.2.3',
    })
  })

  it('is asked for its index once for all charts', async () => {
    const { url, seen } = serve(usual('web.tgz'))
    const indexes = createOnce<string>()
    await Promise.all([get(url, { indexes }), get(url, { indexes }), get(url, { indexes })])
    expect(seen.filter(({ path }) => path === '/index.yaml')).toHaveLength(1)
  })

  it('may send its index compressed', async () => {
    const { url } = serve((asked) =>
      asked.pathname === '/index.yaml'
        ? new Response(new Uint8Array(gzipSync(indexWith('web.tgz'))), {
            headers: { 'content-encoding': 'gzip' },
          })
        : usual('')(asked),
    )
    expect(digestOf(await get(url))).toBe(digestOf(tgz))
  })

  it('is asked again after 500 and 429, with a word about it', async () => {
    const statuses = [503, 429]
    const { url, seen } = serve((asked) => {
      const status = asked.pathname === '/index.yaml' ? statuses.shift() : undefined
      return status === undefined ? usual('web.tgz')(asked) : new Response('busy', { status })
    })
    const retries: number[] = []
    await get(url, { onRetry: (attempt: number) => retries.push(attempt) })
    expect(retries).toEqual([1, 2])
    expect(seen).toHaveLength(4)
  })

  it.each([
    [404, 'failed', 'check the address, the name and the version'],
    [
      401,
      'auth',
      'give a chart repository its login with --username host=name and --password-stdin; or check the password',
    ],
    [403, 'auth', 'check that the account may read it; some hosts answer 403 for what does not exist'],
  ])('answers %i: told at once, in its own words', async (status, kind, next) => {
    const { url, seen } = serve(() => new Response('go away', { status }))
    await expect(get(`${url}/r?token=secret`)).rejects.toMatchObject({
      kind,
      next,
      message: `${url}/r/index.yaml answers ${status}: go away`,
      where: `chart repository ${url}/r`,
    })
    expect(seen).toHaveLength(1)
  })

  it('is told apart from a chart that is not what the index says', async () => {
    const { url } = serve(usual('web.tgz', { digest: 'ab'.repeat(32) }))
    await expect(get(url)).rejects.toMatchObject({
      kind: 'integrity',
      message: `chart web v1.2.3 is not what the index says: it has ${digestOf(tgz)}, the index sha256:${'ab'.repeat(32)}`,
    })
  })

  it('is told apart from a login page', async () => {
    const { url } = serve(usual('web.tgz', { digest: 'none', content: new TextEncoder().encode('<html>') }))
    await expect(get(url)).rejects.toMatchObject({
      kind: 'integrity',
      message: 'what was downloaded as chart web v1.2.3 is no gzip archive',
    })
  })

  it('may not lead in circles, nor to a file of this machine', async () => {
    const circle = serve((asked) => Response.redirect(`${asked.origin}${asked.pathname}`, 302))
    await expect(get(circle.url)).rejects.toMatchObject({
      message: expect.stringContaining('more than 10 redirects'),
    })
    expect(circle.seen).toHaveLength(11)
    const file = serve(usual('file:///etc/passwd'))
    await expect(get(file.url)).rejects.toMatchObject({
      message: expect.stringContaining('neither https, http nor oci'),
    })
  })

  it('that is not there is named', async () => {
    const { url } = serve(() => undefined)
    for (const stop of stops.splice(0)) await stop()
    await expect(get(url)).rejects.toMatchObject({ kind: 'network', where: `chart repository ${url}/` })
  })
})

describe('resolveReferenceUrl', () => {
  it.each([
    ['https://x.example/charts', 'index.yaml', 'https://x.example/charts/index.yaml'],
    ['https://x.example/charts/', 'index.yaml', 'https://x.example/charts/index.yaml'],
    ['https://x.example', '../a.tgz', 'https://x.example/a.tgz'],
    ['https://x.example/c?k=v', 'a.tgz', 'https://x.example/c/a.tgz?k=v'],
    ['https://x.example/c?k=v', 'https://y.example/a.tgz', 'https://y.example/a.tgz'],
    ['https://x.example/c', 'https://y.example/a.tgz?sig=1', 'https://y.example/a.tgz?sig=1'],
    ['https://x.example/c', 'a-1.0.0+b.tgz', 'https://x.example/c/a-1.0.0+b.tgz'],
  ])('%s and %s', (repository, reference, url) => {
    expect(resolveReferenceUrl(repository, reference)).toBe(url)
  })
})
