import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A CONNECT proxy that leads real names to ports of loopback, as DNS in a VPC leads them to endpoints. */
export interface NameProxy {
  readonly url: string
  /** `host:port` of every tunnel that was asked for. */
  readonly asked: readonly string[]
  stop(): Promise<void>
}

/** @param portOf where a name leads; undefined is answered with 502, as for a name that does not resolve */
export async function startNameProxy(portOf: (host: string) => number | undefined): Promise<NameProxy> {
  const asked: string[] = []
  const clients = new Set<Socket>()
  const server = createServer((client) => {
    clients.add(client)
    client.on('close', () => clients.delete(client))
    client.on('error', () => client.destroy())
    client.once('data', (head) => {
      const target = /^CONNECT (\S+)/.exec(head.toString())?.[1] ?? ''
      asked.push(target)
      const port = portOf(target.replace(/:\d+$/, ''))
      if (port === undefined) {
        client.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')
        return
      }
      const far = connect(port, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
        client.pipe(far).pipe(client)
      })
      far.on('error', () => client.destroy())
      client.on('close', () => far.destroy())
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    stop: () =>
      new Promise((done) => {
        server.close(() => done())
        for (const client of clients) client.destroy()
      }),
  }
}

export const portOf = (address: string): number => Number(address.replace(/^.*:/, ''))
