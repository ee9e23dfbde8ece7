// Runs in a namespace of its own, which has nothing but loopback: `airgap.test.ts` starts it there.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { runCli } from '../support/cli.ts'
import { startContainerd } from '../support/containerd.ts'
import { startEcr } from '../support/ecr/server.ts'
import { helmBinary, type HelmMajor } from '../support/helm.ts'
import { portOf } from '../support/name-proxy.ts'
import { runProgram } from '../support/program.ts'
import { charts, compiledIn, ECR } from './airgap-charts.ts'
import { attempts, isolate, probe, relay } from './airgap-namespace.ts'

/** What the rehearsal came to, as one line of JSON on standard output. */
export interface Rehearsal {
  /** Network devices of the namespace. */
  readonly devices: readonly string[]
  readonly imported: { readonly code: number; readonly stderr: string }
  /** Registries that the node mirrors for images that no value reaches. */
  readonly mirrored: readonly string[]
  /** References of each render: `helm 3` and `helm 4`. */
  readonly rendered: Readonly<Record<string, readonly string[]>>
  /** Public names that a render still has. */
  readonly left: readonly string[]
  /** Reference to the digest that containerd pulled. */
  readonly pulled: Readonly<Record<string, string>>
  readonly failed: readonly string[]
  /** Images that containerd holds in the end. */
  readonly held: readonly string[]
  /** Manifests that the registry handed out to containerd. */
  readonly served: number
  /** Attempts to send anything to anywhere but loopback. */
  readonly attempts: number
  /** The same counter after one such attempt on purpose, which shows that it counts. */
  readonly afterProbe: number
}

/** A folder with `bundle.tar`, and where the bundle goes: `<host>/platform`, `own/images`. */
const [folder = '', registry = '', prefix = ''] = process.argv.slice(2)
const to = ['--registry', registry, '--prefix', prefix]

async function rehearse(): Promise<Rehearsal> {
  const found = await isolate(folder, NAMES)
  const before = await attempts()
  // By their real names and ports: the registry, its API, and the bucket behind it.
  const options: { port: number; quotas: 'none'; downloadOrigin?: string } = { port: 443, quotas: 'none' }
  const ecr = await startEcr(options)
  const relays = [await relay(API, portOf(ecr.endpoint)), await relay(BUCKET, portOf(ecr.downloadOrigin))]
  options.downloadOrigin = `https://${bucket}`
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = ecr.environment
  const imported = await runCli(['import', 'bundle.tar', ...to, '--ca-file', ecr.caFile, '--quiet'], {
    cwd: folder,
    env: { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY },
  })
  const token = ecr.token()
  await writeFile(join(folder, 'helm-registry.json'), JSON.stringify({ auths: { [ECR]: { auth: token } } }))
  await cli('post-render', 'bundle.tar', ...to, '--write-plugin', join('plugins', 'ma-bundle'))
  await cli('values', 'bundle.tar', ...to, '--format', 'containerd', '--only-unbound', '--output', 'certs.d')
  const mirrored = await readdir(join(folder, 'certs.d'))
  await prepareNode(ecr.caFile, token)

  const renders: Record<string, string> = {}
  for (const major of [3, 4] as const) renders[`helm ${major}`] = await render(major, ecr.caFile)
  const rendered = Object.fromEntries(
    Object.entries(renders).map(([helm, text]) => [helm, referencesIn(text)]),
  )
  const references = [...new Set([...Object.values(rendered).flat(), ...compiledIn])]
  ecr.log.clear()
  const pulled: Record<string, string> = {}
  const failed: string[] = []
  const containerd = await startContainerd()
  // The kubelet brings the login for names of ECR; for public names only hosts.toml has it.
  const user = Buffer.from(token, 'base64').toString()
  for (const reference of references) {
    const login = reference.startsWith(`${ECR}/`) ? { user } : {}
    try {
      const { digest } = await containerd.pull(reference, { hostsDir: join(folder, 'certs.d'), ...login })
      pulled[reference] = digest
    } catch (error) {
      failed.push(`${reference}: ${String(error)}`)
    }
  }
  const held = await containerd.images()
  await containerd.stop()
  for (const server of relays) server.close()
  await ecr.stop()
  const tried = (await attempts()) - before
  await probe()
  return {
    devices: found,
    imported: { code: imported.code, stderr: imported.stderr },
    mirrored: mirrored.toSorted(),
    rendered,
    left: Object.values(renders).flatMap((text) => publicNames(text)),
    pulled,
    failed,
    held: held.filter((name) => !name.startsWith('sha256:')),
    served: ecr.log.requests('HEAD', /\/manifests\//, 'dkr').filter(({ status }) => status === 200).length,
    attempts: tried,
    afterProbe: (await attempts()) - before,
  }
}

const bucket = 'prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com'
const API = '127.0.0.2'
const BUCKET = '127.0.0.3'
const NAMES = {
  '127.0.0.1': [ECR, 'localhost'],
  [API]: ['api.ecr.eu-central-1.amazonaws.com', 'sts.eu-central-1.amazonaws.com'],
  [BUCKET]: [bucket],
}

async function cli(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await runCli(args, { cwd: folder })
  if (code !== 0) throw new Error(`ma-bundle ${args.join(' ')} ended with ${code}: ${stderr}`)
}

/** What a person does on a node: the CA, and the token where the comments ask for it. */
async function prepareNode(caFile: string, token: string): Promise<void> {
  const certs = join(folder, 'certs.d')
  for (const host of await readdir(certs)) {
    const file = join(certs, host, 'hosts.toml')
    const text = await readFile(file, 'utf8')
    await writeFile(
      file,
      text
        .replaceAll(/Basic [^"]*/g, `Basic ${token}`)
        .replaceAll('override_path = true', `override_path = true\nca = "${caFile}"`),
    )
  }
  const own = join(certs, ECR, 'hosts.toml')
  await mkdir(dirname(own), { recursive: true })
  await writeFile(own, `server = "https://${ECR}"\n[host."https://${ECR}"]\nca = "${caFile}"\n`)
}

/** Every imported chart, from the private registry, as an installation would render it. */
async function render(major: HelmMajor, caFile: string): Promise<string> {
  const helm = await helmBinary(major)
  const env = {
    HOME: folder,
    PATH: process.env.PATH ?? '',
    HELM_REGISTRY_CONFIG: join(folder, 'helm-registry.json'),
    HELM_PLUGINS: join(folder, 'plugins'),
  }
  const renderer = major === 3 ? join(folder, 'plugins', 'ma-bundle', 'post-render.sh') : 'ma-bundle'
  const parts: string[] = []
  for (const { name, version } of charts) {
    const values = join('ma-bundle-values.d', `${name}.yaml`)
    const args = ['template', 'rehearsal', `oci://${registry}/charts/${name}`, '--version', version]
    const { stdout } = await runProgram(
      helm,
      [...args, '--ca-file', caFile, '--values', values, '--post-renderer', renderer],
      { cwd: folder, env },
    )
    parts.push(stdout.toString())
  }
  return parts.join('---\n')
}

/** Every reference to the private registry in any string, and all that stands in an image field. */
function referencesIn(text: string): readonly string[] {
  const found = new Set<string>()
  const walk = (value: unknown, key: string): void => {
    if (typeof value === 'string') {
      if (key === 'image') found.add(value)
      for (const [reference] of value.matchAll(PRIVATE)) found.add(reference)
    } else if (typeof value === 'object' && value !== null) {
      for (const [inner, item] of Object.entries(value)) walk(item, inner)
    }
  }
  for (const document of parseAllDocuments(text)) walk('toJS' in document ? document.toJS() : undefined, '')
  return [...found].toSorted()
}

const PRIVATE = /\d{12}\.dkr\.ecr\.[^\s"',=|]+/g

/** Hosts of public registries that stand anywhere but below the private one. */
const publicNames = (text: string): readonly string[] =>
  [...text.replaceAll(PRIVATE, '').matchAll(/\S*(?:docker|quay|ghcr|k8s)\.io\/\S*rehearsal\S*/g)].map(
    ([name]) => name,
  )

process.stdout.write(`${JSON.stringify(await rehearse())}\n`)
