import { connect, createServer, isIPv4, type AddressInfo, type Socket } from 'node:net'

/** A SOCKS 5 proxy on loopback, as `ssh -D` opens one. https://www.rfc-editor.org/rfc/rfc1928 */
export interface SocksProxy {
  /** `host:port` of the proxy. */
  readonly address: string
  /** `host:port` of every connection, as the client named it. */
  readonly asked: readonly string[]
  stop(): Promise<void>
}

export interface SocksOptions {
  /** Where a name leads on this machine; undefined is answered as a host that cannot be reached. */
  readonly portOf: (host: string) => number | undefined
  /** Wanted of every client. https://www.rfc-editor.org/rfc/rfc1929 */
  readonly login?: { readonly user: string; readonly password: string }
}

export async function startSocksProxy({ portOf, login }: SocksOptions): Promise<SocksProxy> {
  const asked: string[] = []
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.on('close', () => clients.delete(client))
    client.on('error', () => client.destroy())
    speak(client, { portOf, asked, ...(login === undefined ? {} : { login }) }).catch(() => client.destroy())
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    address: `127.0.0.1:${port}`,
    asked,
    stop: () =>
      new Promise((done) => {
        server.close(() => done())
        for (const client of clients) client.destroy()
      }),
  }
}

// --- internal ---

const VERSION = 5
const NO_LOGIN = 0
const PASSWORD = 2
const NONE_ACCEPTED = 0xff
const HOST_UNREACHABLE = 4

async function speak(
  client: Socket,
  { portOf, asked, login }: SocksOptions & { readonly asked: string[] },
): Promise<void> {
  const greeting = await message(client)
  const offered = [...greeting.subarray(2, 2 + (greeting[1] ?? 0))]
  const method = login === undefined ? NO_LOGIN : PASSWORD
  if (!offered.includes(method)) {
    client.end(Buffer.from([VERSION, NONE_ACCEPTED]))
    return
  }
  client.write(Buffer.from([VERSION, method]))
  if (login !== undefined) {
    const given = await message(client)
    const user = given.subarray(2, 2 + (given[1] ?? 0)).toString()
    const password = given.subarray(3 + (given[1] ?? 0)).toString()
    const good = user === login.user && password === login.password
    client.write(Buffer.from([1, good ? 0 : 1]))
    if (!good) {
      client.end()
      return
    }
  }
  const request = await message(client)
  const { host, port } = target(request)
  asked.push(`${host}:${port}`)
  const led = portOf(host)
  const answer = (code: number) => Buffer.from([VERSION, code, 0, 1, 127, 0, 0, 1, 0, 0])
  if (led === undefined) {
    client.end(answer(HOST_UNREACHABLE))
    return
  }
  const far = connect(led, '127.0.0.1', () => {
    client.write(answer(0))
    client.pipe(far).pipe(client)
  })
  far.on('error', () => client.destroy())
  client.on('close', () => far.destroy())
}

/** Messages of the handshake are a few bytes, each written at once. */
const message = (client: Socket): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    client.once('data', resolve)
    client.once('close', () => reject(new Error('closed')))
  })

function target(request: Buffer): { readonly host: string; readonly port: number } {
  const kind = request[3]
  const port = request.readUInt16BE(request.length - 2)
  if (kind === 3) return { host: request.subarray(5, 5 + (request[4] ?? 0)).toString(), port }
  const address = [...request.subarray(4, 8)].join('.')
  return { host: isIPv4(address) ? address : 'another kind of address', port }
}
