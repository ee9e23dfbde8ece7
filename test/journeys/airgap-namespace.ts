import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { runProgram } from '../support/program.ts'

/**
 * Leaves this process loopback, names by a hosts file of our own, and a name server that cannot be reached: asking it
 * counts.
 * @param names by address
 * @returns the network devices there are
 */
export async function isolate(
  folder: string,
  names: Readonly<Record<string, readonly string[]>>,
): Promise<readonly string[]> {
  await runProgram('ip', ['link', 'set', 'lo', 'up'])
  const hosts = Object.entries(names).map(([address, all]) => `${address} ${all.join(' ')}\n`)
  await writeFile(join(folder, 'hosts'), `${hosts.join('')}::1 localhost\n`)
  await writeFile(join(folder, 'resolv.conf'), 'nameserver 192.0.2.53\noptions attempts:1 timeout:1\n')
  for (const file of ['hosts', 'resolv.conf'])
    await runProgram('mount', ['--bind', join(folder, file), join('/etc', file)])
  // Not /sys/class/net, which shows the namespace it was mounted in.
  return (await devices()).map(([name]) => name)
}

/**
 * What found no route, and what left by another device than loopback, over IPv4 and IPv6: `OutNoRoutes` counts even a
 * connect() that fails at once. https://www.kernel.org/doc/html/latest/networking/snmp_counter.html
 */
export async function attempts(): Promise<number> {
  const [names = '', values = ''] = (await readFile('/proc/net/snmp', 'utf8'))
    .split('\n')
    .filter((line) => line.startsWith('Ip:'))
  const at = names.split(' ').indexOf('OutNoRoutes')
  const six = /^Ip6OutNoRoutes\s+(\d+)/m.exec(await readFile('/proc/net/snmp6', 'utf8'))
  const sent = (await devices())
    .filter(([name]) => name !== 'lo')
    .reduce((sum, [, packets]) => sum + packets, 0)
  if (at < 0 || six === null) throw new Error('this kernel does not count packets without a route')
  return Number(values.split(' ')[at]) + Number(six[1]) + sent
}

/** Tries to reach an address for documentation (RFC 5737), which is nowhere. */
export const probe = (): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect(443, '192.0.2.1')
    socket.on('error', () => resolve())
    socket.on('connect', () => {
      socket.destroy()
      resolve()
    })
  })

/** Leads port 443 of an address to a port of loopback. */
export const relay = (address: string, port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer((client) => {
      const far = connect(port, '127.0.0.1')
      client.pipe(far).pipe(client)
      client.on('error', () => far.destroy())
      far.on('error', () => client.destroy())
    })
    server.on('error', reject)
    server.listen(443, address, () => resolve(server))
  })

// --- internal ---

/** Network devices with the packets each has sent. */
async function devices(): Promise<readonly (readonly [name: string, sent: number])[]> {
  const lines = (await readFile('/proc/net/dev', 'utf8')).matchAll(/^\s*([^\s:|]+):\s*(.*)$/gm)
  return [...lines].map(([, name = '', counters = '']) => [name, Number(counters.split(/\s+/)[9])] as const)
}
