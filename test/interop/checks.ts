import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startContainerd } from '../support/containerd.ts'
import { runProgram } from '../support/program.ts'
import { CHART, CHART_VERSION, isSame, type Journey } from './journey.ts'
import type { Served } from './registries.ts'
import { freePort, helms, startServer, versionOf, type Programs, type Running } from './programs.ts'

/** One thing that is tried with a program of somebody else. @throws with what went wrong */
export interface Check {
  /** Of whom, and what with it. */
  readonly name: string
  readonly what: string
  readonly needs: readonly string[]
  version(programs: Programs): Promise<string>
  run(context: Context): Promise<void>
}

export interface Context {
  readonly journey: Journey
  readonly programs: Programs
  /** A registry that the bundle was imported into. */
  readonly registry: Running
  /** The bundle, served by ma-bundle. */
  readonly served: Served
}

/** What is asked of every registry: the bytes arrive, are found again, and a second run changes nothing. */
export async function checkDestination(journey: Journey, { host }: Running): Promise<void> {
  await journey.run(['import', 'bundle.tar', '--registry', host, '--quiet'])
  for (const [name, image] of Object.entries(journey.images)) {
    if (!(await isSame(host, journey.landed(name), image))) throw new Error(`${name} has other bytes there`)
  }
  await journey.run(['verify', 'bundle.tar', '--registry', host, '--deep', '--quiet'])
  const again = await journey.run(['import', 'bundle.tar', '--registry', host])
  if (!again.includes('0 pushed')) throw new Error(`a second import pushes: ${again}`)
  await journey.run(['inventory', '--registry', host, '--bundle', 'bundle.tar', '--quiet'])
}

const WEB = 'shop/web:1.4.0'

const program =
  (name: string, ...args: readonly string[]): Check['version'] =>
  (programs) =>
    versionOf(programs(name) ?? name, ...args)

/** Runs a program in the journey's folder, at home nowhere else. */
const tool = (
  { journey, programs }: Context,
  name: string,
  args: readonly string[],
): ReturnType<typeof runProgram> =>
  runProgram(programs(name) ?? name, args, {
    cwd: journey.folder,
    env: { HOME: journey.folder, PATH: process.env['PATH'] ?? '' },
  })

const at = ({ registry, journey }: Context, name: string): string =>
  `${registry.host}/${journey.landed(name)}`

/** Host and port of the source are one part of a name there, without the colon. */
const servedAt = ({ served }: Context): string =>
  `${served.host}/${served.repositories.find((name) => /^[^:]*\bshop\/web$/.test(name)) ?? ''}:${WEB.split(':')[1] ?? ''}`

export const CHECKS: readonly Check[] = [
  {
    name: 'skopeo',
    what: 'copies an image out of the tar, and out of `serve`',
    needs: ['skopeo'],
    version: program('skopeo', '--version'),
    async run(context) {
      const name = `${context.journey.source.host}/${WEB}`
      const copy = ['--insecure-policy', 'copy', '--all', '--src-tls-verify=false']
      await tool(context, 'skopeo', [...copy, `oci-archive:bundle.tar:${name}`, 'dir:skopeo-tar'])
      await tool(context, 'skopeo', [...copy, `docker://${servedAt(context)}`, 'dir:skopeo-serve'])
    },
  },
  {
    name: 'crane',
    what: 'validates an image in the registry, and pulls from `serve`',
    needs: ['crane'],
    version: program('crane', 'version'),
    async run(context) {
      await tool(context, 'crane', ['validate', '--insecure', '--remote', at(context, WEB)])
      await tool(context, 'crane', ['pull', '--insecure', servedAt(context), 'crane.tar'])
    },
  },
  {
    name: 'regctl',
    what: 'copies an image from the registry with its referrers',
    needs: ['regctl'],
    version: program('regctl', 'version', '--format', '{{.VCSTag}}'),
    async run(context) {
      await tool(context, 'regctl', ['registry', 'set', '--tls', 'disabled', context.registry.host])
      await tool(context, 'regctl', ['image', 'copy', '--referrers', at(context, WEB), 'ocidir://regctl:web'])
    },
  },
  {
    name: 'oras',
    what: 'copies the chart from the registry to a layout',
    needs: ['oras'],
    version: program('oras', 'version'),
    async run(context) {
      const from = `${context.registry.host}/charts/${CHART}:${CHART_VERSION}`
      await tool(context, 'oras', ['cp', '--from-plain-http', from, '--to-oci-layout', 'oras:chart'])
    },
  },
  {
    name: 'podman',
    what: 'pulls an image from the registry, and from the tar',
    needs: ['podman'],
    version: program('podman', '--version'),
    async run(context) {
      const { folder, source } = context.journey
      const store = [
        '--root',
        join(folder, 'podman'),
        '--runroot',
        join(folder, 'podman-run'),
        '--storage-driver',
        'vfs',
      ]
      await mkdir(join(folder, '.config/containers'), { recursive: true })
      const policy = { default: [{ type: 'insecureAcceptAnything' }] }
      await writeFile(join(folder, '.config/containers/policy.json'), JSON.stringify(policy))
      await tool(context, 'podman', [...store, 'pull', '--tls-verify=false', at(context, WEB)])
      await tool(context, 'podman', [...store, 'pull', `oci-archive:bundle.tar:${source.host}/${WEB}`])
    },
  },
  {
    name: 'containerd',
    what: 'pulls and unpacks from the registry, as a node does',
    needs: ['containerd', 'ctr'],
    version: program('containerd', '--version'),
    async run(context) {
      const node = await startContainerd()
      try {
        const hosts = join(context.journey.folder, 'hosts', context.registry.host)
        await mkdir(hosts, { recursive: true })
        await writeFile(join(hosts, 'hosts.toml'), `server = "http://${context.registry.host}"\n`)
        const hostsDir = join(context.journey.folder, 'hosts')
        const { digest } = await node.pull(at(context, WEB), { hostsDir })
        if (digest !== context.journey.images[WEB]?.digest) throw new Error(`it pulled ${digest}`)
      } finally {
        await node.stop()
      }
    },
  },
  ...['helm 3', 'helm 4'].map((name): Check => ({
    name,
    what: 'pulls the chart from the registry, and from `serve`',
    needs: [],
    version: async () => versionOf(await helmCalled(name), 'version', '--short'),
    async run({ journey, registry, served }) {
      const env = { HOME: journey.folder, PATH: process.env['PATH'] ?? '' }
      for (const [at, host] of [`${registry.host}/charts`, `${served.host}/charts`].entries()) {
        const args = ['pull', `oci://${host}/${CHART}`, '--version', CHART_VERSION, '--plain-http']
        const to = join(journey.folder, `${name.replace(' ', '-')}-${at}`)
        await mkdir(to)
        await runProgram(await helmCalled(name), [...args, '--destination', to], { env })
        const pulled = await readFile(join(to, `${CHART}-${CHART_VERSION}.tgz`))
        if (!pulled.equals(await readFile(join(journey.folder, 'chart.tgz'))))
          throw new Error('the chart has other bytes')
        await rm(to, { recursive: true })
      }
    },
  })),
  {
    name: 'cosign',
    what: 'verifies at the registry what it signed at the source',
    needs: ['cosign'],
    version: program('cosign', 'version'),
    async run(context) {
      const reference = at(context, WEB).replace(/:[^:/]*$/, `@${context.journey.images[WEB]?.digest ?? ''}`)
      const offline = ['--insecure-ignore-tlog', '--allow-http-registry']
      await tool(context, 'cosign', ['verify', '--key', context.journey.key ?? '', ...offline, reference])
    },
  },
  {
    name: 'moto',
    what: 'S3: a bundle is written, inspected and imported',
    needs: ['moto_server'],
    version: program('python3', '-c', 'import moto; print(moto.__version__)'),
    async run(context) {
      const port = await freePort()
      const moto = context.programs('moto_server') ?? ''
      const running = await startServer(moto, port, ['-H', '127.0.0.1', '-p', `${port}`])
      try {
        await throughS3(context, running, 'moto')
      } finally {
        await running.stop()
      }
    },
  },
  {
    name: 'versitygw',
    what: 'S3: a bundle is written, inspected and imported',
    needs: ['versitygw'],
    version: (programs) => goVersion(programs('versitygw') ?? ''),
    async run(context) {
      const port = await freePort()
      const store = join(context.journey.folder, 'versity')
      await mkdir(store, { recursive: true })
      const env = { ROOT_ACCESS_KEY: KEYS.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: KEYS.AWS_SECRET_ACCESS_KEY }
      const args = ['--port', `127.0.0.1:${port}`, 'posix', store]
      const running = await startServer(context.programs('versitygw') ?? '', port, args, env)
      try {
        await throughS3(context, running, 'versity')
      } finally {
        await running.stop()
      }
    },
  },
]

// --- internal ---

const KEYS = { AWS_ACCESS_KEY_ID: 'interop', AWS_SECRET_ACCESS_KEY: 'interop-secret-key' }

const helmCalled = async (name: string): Promise<string> =>
  (await helms()).find((one) => one.name === name)?.program ?? name

/** A program of Go that does not know its own version, but carries it. */
async function goVersion(file: string): Promise<string> {
  const text = (await readFile(file)).toString('latin1')
  return /\bmod\t\S+versitygw\t(v[\d.]+)/.exec(text)?.[1] ?? 'unknown'
}

async function throughS3({ journey, registry }: Context, { host }: Running, bucket: string): Promise<void> {
  const env = { ...KEYS, AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: `http://${host}` }
  const { createBucket } = await import('./bucket.ts')
  await createBucket(env, bucket)
  const at = `s3://${bucket}/bundle.tar`
  await journey.run(['export', at, '--spec', 'spec.yaml', '--platform', 'all', '--no-prove', '--quiet'], env)
  await journey.run(['inspect', at, '--quiet'], env)
  await journey.run(['import', at, '--registry', registry.host, '--quiet'], env)
}
