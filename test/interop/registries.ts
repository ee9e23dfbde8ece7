import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { startServe } from '../support/serve.ts'
import { freePort, startServer, versionOf, type Programs, type Running } from './programs.ts'

/** A registry of somebody else, which bundles are imported into. */
export interface Destination {
  readonly name: string
  /** Programs it takes. */
  readonly needs: readonly string[]
  version(programs: Programs): Promise<string>
  start(programs: Programs, folder: string): Promise<Running>
}

const need = (programs: Programs, name: string): string => {
  const found = programs(name)
  if (found === undefined) throw new Error(`${name} is missing`)
  return found
}

export const DESTINATIONS: readonly Destination[] = [
  {
    name: 'distribution 2',
    needs: ['docker-registry'],
    version: (programs) => versionOf(need(programs, 'docker-registry'), '--version'),
    start: () => startDockerRegistry(),
  },
  {
    name: 'distribution 3',
    needs: ['registry'],
    version: (programs) => versionOf(need(programs, 'registry'), '--version'),
    async start(programs, folder) {
      const config = join(folder, 'distribution-3.yml')
      const port = await freePort()
      await mkdir(join(folder, 'distribution-3'), { recursive: true })
      await writeFile(
        config,
        JSON.stringify({
          version: 0.1,
          log: { level: 'error', accesslog: { disabled: true } },
          storage: { filesystem: { rootdirectory: join(folder, 'distribution-3') } },
          http: { addr: `127.0.0.1:${port}` },
        }),
      )
      const env = { OTEL_TRACES_EXPORTER: 'none' }
      return startServer(need(programs, 'registry'), port, ['serve', config], env)
    },
  },
  {
    name: 'crane registry serve',
    needs: ['crane'],
    version: (programs) => versionOf(need(programs, 'crane'), 'version'),
    async start(programs) {
      const port = await freePort()
      const args = ['registry', 'serve', '--address', `127.0.0.1:${port}`]
      return startServer(need(programs, 'crane'), port, args)
    },
  },
  {
    name: 'nginx before distribution 2',
    needs: ['nginx', 'docker-registry'],
    version: (programs) => versionOf(need(programs, 'nginx'), '-v'),
    async start(programs, folder) {
      const behind = await startDockerRegistry()
      const own = join(folder, 'nginx')
      await mkdir(own, { recursive: true })
      const port = await freePort()
      const config = join(own, 'nginx.conf')
      await writeFile(config, nginxConfig(own, port, behind.host))
      const args = [
        '-p',
        own,
        '-e',
        join(own, 'error.log'),
        '-g',
        `daemon off; user root; pid ${own}/pid;`,
        '-c',
        config,
      ]
      const front = await startServer(need(programs, 'nginx'), port, args)
      return {
        host: front.host,
        async stop() {
          await front.stop()
          await behind.stop()
        },
      }
    },
  },
]

/** What `ma-bundle serve` serves. */
export interface Served extends Running {
  readonly repositories: readonly string[]
}

/** Our own registry, read by the programs of others. */
export const serveBundle = async (folder: string): Promise<Served> => {
  const served = await startServe('bundle.tar', folder)
  return {
    host: served.host,
    repositories: served.repositories,
    async stop() {
      await served.stop()
    },
  }
}

// --- internal ---

/** As the manual of distribution has it: https://distribution.github.io/distribution/recipes/nginx/ */
function nginxConfig(folder: string, port: number, behind: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(' ')
  return `events {}
http {
  access_log off; ${temporary}
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 0;
    chunked_transfer_encoding on;
    location / { proxy_pass http://${behind}; proxy_set_header Host $http_host; proxy_read_timeout 900; }
  }
}
`
}
