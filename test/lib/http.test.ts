import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Bytes } from '../../src/lib/bytes/bytes.ts'
import { BundleError } from '../../src/lib/errors.ts'
import { createHttp, type HttpOptions, type HttpResponse } from '../../src/lib/http/client.ts'
import { HttpError } from '../../src/lib/http/error.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

const portOf = (server: Server | ReturnType<typeof createTcpServer>): number => {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function serve(
  listener: RequestListener,
  address = '127.0.0.1',
): Promise<{ url: string; port: number; server: Server }> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => {
    server.listen(0, address, resolve)
  })
  return { url: `http://${address}:${portOf(server)}/`, port: portOf(server), server }
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const get = (url: string, options: HttpOptions = {}): Promise<HttpResponse> =>
  createHttp(options)({ method: 'GET', url })

async function failure(promise: Promise<unknown>): Promise<BundleError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (caught: unknown) => caught,
  )
  if (error instanceof BundleError) return error
  throw error
}

describe('an exchange', () => {
  test('gives status, headers and bytes as sent: nothing decoded, nothing followed', async () => {
    const raw = Bun.gzipSync(Buffer.from('hello'))
    const { url } = await serve((request, response) => {
      expect(request.headers['accept-encoding']).toBe('identity')
      expect(request.headers['user-agent']).toMatch(/^ma-bundle\/\d/)
      response.writeHead(307, { location: '/elsewhere', 'content-encoding': 'gzip', 'x-two': ['a', 'b'] })
      response.end(raw)
    })
    const response = await get(url)
    expect(response.status).toBe(307)
    expect(response.headers.get('location')).toBe('/elsewhere')
    expect(response.headers.get('x-two')).toBe('a, b')
    const chunks: Uint8Array[] = []
    for await (const chunk of response.body) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(raw)).toBe(true)
  })

  test.each([
    ['bytes', Buffer.from('hello'), 5],
    ['nothing', new Uint8Array(0), 0],
  ])('sends %s with their exact length', async (_, body, size) => {
    const { url } = await serve((request, response) => {
      void bodyOf(request).then((got) =>
        response.end(
          `${got.length} ${request.headers['content-length']} ${request.headers['transfer-encoding']}`,
        ),
      )
    })
    const response = await createHttp()({ method: 'POST', url, body })
    expect(await response.text()).toBe(`${size} ${size} undefined`)
  })

  test.each([
    [3, 'only 3 of 5'],
    [9, 'more than 5 of 5'],
  ])('does not complete a body of 5 bytes with %i', async (size, words) => {
    let whole = false
    const { url } = await serve((request, response) => {
      request.on('end', () => {
        whole = true
        response.end()
      })
      request.on('error', () => response.destroy())
      request.resume()
    })
    async function* open(): Bytes {
      yield Buffer.alloc(size)
    }
    const error = await failure(
      createHttp()({ method: 'PUT', url, body: { size: 5, open: async () => open() } }),
    )
    expect(error).toMatchObject({ kind: 'integrity', message: expect.stringContaining(words) })
    expect(whole).toBe(false)
  })

  test('takes an answer that comes before the end of the upload, and stops reading the source', async () => {
    const { url } = await serve((_, response) => {
      response.writeHead(401, { connection: 'close' })
      response.end('no')
    })
    let sent = 0
    let closed = false
    async function* endless(): Bytes {
      try {
        for (;;) {
          sent += 65_536
          yield Buffer.alloc(65_536)
        }
      } finally {
        closed = true
      }
    }
    const response = await createHttp()({
      method: 'PUT',
      url,
      body: { size: 1e12, open: async () => endless() },
    })
    expect(response.status).toBe(401)
    expect(await response.text()).toBe('no')
    await expect.poll(() => closed).toBe(true)
    expect(sent).toBeLessThan(1e9)
  })

  test('stops reading the source when the connection is gone', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => setTimeout(() => socket.destroy(), 20))
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    let closed = false
    async function* endless(): Bytes {
      try {
        for (;;) {
          yield Buffer.alloc(65_536)
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
      } finally {
        closed = true
      }
    }
    const url = `http://127.0.0.1:${portOf(server)}/`
    const error = await failure(
      createHttp()({ method: 'PUT', url, body: { size: 1e12, open: async () => endless() } }),
    )
    expect(error).toMatchObject({ kind: 'network', retryable: true })
    await expect.poll(() => closed).toBe(true)
    server.close()
  })

  test('reads no more of an error than asked for', async () => {
    const { url } = await serve((_, response) => {
      const more = (): void => {
        while (response.write(Buffer.alloc(65_536, 'x')));
        response.once('drain', more)
      }
      more()
    })
    const response = await get(url)
    expect(await response.text(1000)).toBe('x'.repeat(1000))
  })

  test('keeps connections, also after bodies that were given up', async () => {
    const { url, server } = await serve((_, response) => response.end('x'.repeat(1000)))
    let connections = 0
    server.on('connection', () => {
      connections += 1
    })
    const http = createHttp()
    for (let at = 0; at < 20; at += 1) {
      const response = await http({ method: 'GET', url })
      if (at % 2 === 0) await response.text()
      else await response.discard()
    }
    expect(connections).toBe(1)
  })

  test('repeats itself on a kept connection that the host has closed meanwhile', async () => {
    const sockets = new Set<Socket>()
    const server = createTcpServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      let seen = 0
      socket.on('data', () => {
        seen += 1
        if (seen > 1) socket.destroy()
        else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      })
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const http = createHttp()
    for (let at = 0; at < 5; at += 1) {
      const response = await http({
        method: 'POST',
        url: `http://127.0.0.1:${portOf(server)}/`,
        body: new Uint8Array(0),
      })
      expect(await response.text()).toBe('ok')
    }
    expect(sockets.size).toBe(5)
    server.close()
  })
})

describe('failures', () => {
  test.each([
    ['a body shorter than its length', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'],
    ['a chunked body without an end', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ])('%s is a cut', async (_, answer) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end(answer))
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const response = await get(`http://127.0.0.1:${portOf(server)}/`)
    const error = await failure(response.text())
    expect(error).toMatchObject({
      kind: 'network',
      retryable: true,
      message: expect.stringContaining('was cut'),
    })
    server.close()
  })

  test('an answer that is not HTTP', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.2\r\n'))
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    expect(await failure(get(`http://127.0.0.1:${portOf(server)}/`))).toBeInstanceOf(HttpError)
    server.close()
  })

  test('a stall before the answer, in the body, and in an upload', async () => {
    const { url } = await serve((request, response) => {
      if (request.method === 'PUT') return
      if (request.url === '/body') response.write('half')
    })
    const options = { stallSeconds: 1 }
    const stalled = { code: 'STALLED', retryable: true, message: expect.stringContaining('no byte for') }
    expect(await failure(get(url, options))).toMatchObject(stalled)
    const response = await get(`${url}body`, options)
    expect(await failure(response.text())).toMatchObject(stalled)
    async function* endless(): Bytes {
      for (;;) yield Buffer.alloc(65_536)
    }
    const body = { size: 1e12, open: async () => endless() }
    expect(await failure(createHttp(options)({ method: 'PUT', url, body }))).toMatchObject(stalled)
  })

  test('a body that drips for ever ends; one that is slow but moves does not', async () => {
    const { url } = await serve((request, response) => {
      const bytes = request.url === '/slow' ? 400 : 1
      let left = 24
      const drip = setInterval(() => {
        left -= 1
        if (left === 0 && bytes > 1) response.end()
        if (left === 0 && bytes > 1) clearInterval(drip)
        else if (!response.destroyed) response.write(Buffer.alloc(bytes))
        if (response.destroyed) clearInterval(drip)
      }, 100)
    })
    const options = { stallSeconds: 1 }
    const dripping = await get(url, options)
    expect(await failure(dripping.text())).toMatchObject({
      code: 'STALLED',
      retryable: true,
      message: expect.stringMatching(/: \d+ bytes in \d s$/),
    })
    const slow = await get(`${url}slow`, options)
    expect(await slow.text()).toHaveLength(23 * 400)
  })

  test('a slow source of an upload is no stall', async () => {
    const { url } = await serve((request, response) => {
      void bodyOf(request).then((body) => response.end(String(body.length)))
    })
    async function* slow(): Bytes {
      yield Buffer.alloc(1)
      await new Promise((resolve) => setTimeout(resolve, 1500))
      yield Buffer.alloc(1)
    }
    const response = await createHttp({ stallSeconds: 1 })({
      method: 'PUT',
      url,
      body: { size: 2, open: async () => slow() },
    })
    expect(await response.text()).toBe('2')
  })

  test('cancellation, before, while waiting, in the body and in an upload', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/body') response.write('half')
    })
    const http = createHttp()
    const aborted = AbortSignal.abort()
    expect((await failure(http({ method: 'GET', url, signal: aborted }))).kind).toBe('cancelled')
    for (const path of ['', 'body']) {
      const stop = new AbortController()
      const pending = http({ method: 'GET', url: `${url}${path}`, signal: stop.signal })
      setTimeout(() => stop.abort(), 50)
      expect((await failure(pending.then((response) => response.text()))).kind).toBe('cancelled')
    }
    const stop = new AbortController()
    async function* endless(): Bytes {
      for (;;) yield Buffer.alloc(65_536)
    }
    const upload = http({
      method: 'PUT',
      url,
      signal: stop.signal,
      body: { size: 1e12, open: async () => endless() },
    })
    setTimeout(() => stop.abort(new BundleError('stopped by Ctrl-C', { kind: 'cancelled' })), 50)
    expect((await failure(upload)).message).toBe('stopped by Ctrl-C')
  })
})

describe('a forward proxy', () => {
  test('is asked for plain http in absolute form, with its own credentials', async () => {
    const seen: string[] = []
    const { port } = await serve((request, response) => {
      seen.push(
        `${request.method} ${request.url} ${request.headers['host']} ${request.headers['proxy-authorization']}`,
      )
      response.end('through')
    })
    const env = { HTTP_PROXY: `http://user:p%40ss@127.0.0.1:${port}` }
    const response = await get('http://charts.example/index.yaml?x=1', { env })
    expect(await response.text()).toBe('through')
    expect(response.proxy).toBe(`127.0.0.1:${port}`)
    const pair = Buffer.from('user:p@ss').toString('base64')
    expect(seen).toEqual([`GET http://charts.example/index.yaml?x=1 charts.example Basic ${pair}`])
  })

  test('that wants a password is told from the host', async () => {
    const { port } = await serve((_, response) => {
      response.writeHead(407)
      response.end('who are you')
    })
    const error = await failure(
      get('http://charts.example/', { env: { HTTP_PROXY: `http://127.0.0.1:${port}` } }),
    )
    expect(error).toMatchObject({ code: 'PROXY', retryable: false })
    expect(error.message).toBe(
      `the proxy 127.0.0.1:${port} answered 407 instead of connecting to charts.example`,
    )
    expect(error.next).toContain('user:password')
  })
})

describe('a CONNECT proxy', () => {
  test.each([
    [407, false],
    [403, false],
    [502, true],
  ])('that answers %i is told from the host', async (status, retryable) => {
    const server = createServer()
    servers.push(server)
    server.on('connect', (_, socket) => socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`))
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const proxy = `127.0.0.1:${portOf(server)}`
    const error = await failure(
      get('https://registry.example/v2/', { env: { HTTPS_PROXY: `http://${proxy}` } }),
    )
    expect(error).toMatchObject({ code: 'PROXY', retryable, kind: 'network' })
    expect(error.message).toBe(
      `the proxy ${proxy} answered ${status} instead of connecting to registry.example`,
    )
  })

  test('that nobody runs is named', async () => {
    const { port, server } = await serve((_, response) => response.end())
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    const error = await failure(
      get('https://registry.example/', { env: { HTTPS_PROXY: `http://127.0.0.1:${port}` } }),
    )
    expect(error.message).toBe(
      `registry.example (through the proxy 127.0.0.1:${port}): the connection was refused`,
    )
  })
})

test('certificate files that do not fit are refused with their names', () => {
  expect(() => createHttp({ caFiles: ['/nowhere/ca.pem'] })).toThrow(
    /cannot read the certificate file …\/ca.pem: no such file/,
  )
  expect(() => createHttp({ caFiles: [import.meta.filename] })).toThrow(/holds no PEM certificate/)
})
