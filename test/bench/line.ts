import { join } from 'node:path'
import { createAuthority } from '../support/certificates.ts'
import { startNameProxy } from '../support/name-proxy.ts'
import { startRegistry } from './registry.ts'

/** What lies between a contender and the registries. */
export interface Line {
  /** Milliseconds there and back. */
  readonly latency?: number
  /** Every so many requests one is answered with 429. */
  readonly busy?: number
  /** Plain HTTP to loopback when absent. */
  readonly secure?: 'TLS' | 'CONNECT'
}

/** Two registries, and the way to them. */
export interface Ends {
  readonly scheme: 'http' | 'https'
  /** `host:port` to read from, and to write to. */
  readonly source: string
  readonly target: string
  /** What a program needs in its environment to go this way. */
  readonly env: Readonly<Record<string, string>>
  /** How many requests the registries themselves have answered. */
  asked(): Promise<{ readonly source: number; readonly target: number }>
  stop(): Promise<void>
}

/** @param storage what the registry to read from serves, and an empty folder for the one to write to */
export async function openLine(
  { latency = 0, busy = 0, secure }: Line,
  storage: { readonly source: string; readonly target: string },
): Promise<Ends> {
  const names = { source: 'source.example', target: 'target.example' }
  const authority = secure === undefined ? undefined : await createAuthority()
  const tls = await authority?.issue('registry', {
    only: ['localhost', ...Object.values(names)].map((name) => `DNS:${name}`),
  })
  const start = (folder: string): ReturnType<typeof startRegistry> =>
    startRegistry({ storage: folder, ...(tls === undefined ? {} : { tls }) })
  const source = await start(storage.source)
  const target = await start(storage.target)
  const proxy =
    secure === 'CONNECT'
      ? await startNameProxy((host) => Number((host === names.source ? source : target).host.split(':')[1]))
      : undefined
  const relays: Relay[] = []
  const reach = async (host: string): Promise<string> => {
    let at = host
    for (const [script, argument] of [
      ['busy.ts', busy],
      ['delay.ts', latency],
    ] as const) {
      if (argument === 0) continue
      const relay = await startRelay(script, at, argument)
      relays.push(relay)
      at = relay.host
    }
    return at
  }
  const hosts =
    proxy === undefined ? { source: await reach(source.host), target: await reach(target.host) } : names
  return {
    ...hosts,
    scheme: secure === undefined ? 'http' : 'https',
    env: {
      ...(authority === undefined ? {} : { SSL_CERT_FILE: authority.caFile }),
      ...(proxy === undefined ? {} : { HTTPS_PROXY: proxy.url }),
    },
    asked: async () => ({
      source: total(await source.requests()),
      target: total(await target.requests()),
    }),
    async stop() {
      for (const server of [...relays, source, target]) await server.stop()
      await proxy?.stop()
      await authority?.remove()
    },
  }
}

// --- internal ---

interface Relay {
  readonly host: string
  stop(): Promise<void>
}

async function startRelay(script: string, host: string, argument: number): Promise<Relay> {
  const relay = Bun.spawn([process.execPath, join(import.meta.dir, script), host, String(argument)], {
    stdout: 'pipe',
  })
  const { value } = await relay.stdout.getReader().read()
  return {
    host: new TextDecoder().decode(value).trim(),
    async stop() {
      relay.kill()
      await relay.exited
    },
  }
}

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)
