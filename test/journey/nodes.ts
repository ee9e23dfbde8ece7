// Runs in a namespace of its own, which has nothing but loopback: `journey.test.ts` starts it there.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { attempts, isolate, relay } from '../journeys/airgap-namespace.ts'
import { startContainerd } from '../support/containerd.ts'
import { startEcr } from '../support/ecr/server.ts'
import { portOf } from '../support/name-proxy.ts'
import { imagesIn } from '../support/printed.ts'
import { API, BUCKET, ECR, importAndInstall, STS, type Inside } from './inside.ts'

/** What the nodes of an installation came to, as one line of JSON on standard output. */
export interface Nodes extends Omit<Inside, 'tags'> {
  readonly devices: readonly string[]
  /** Each reference that an installed object pulls, to the digest that containerd pulled. */
  readonly pulled: Readonly<Record<string, string>>
  /** In containerd's own words. */
  readonly failed: readonly string[]
  /** Attempts to send anything to anywhere but loopback. */
  readonly attempts: number
}

async function run(cwd: string, PATH: string, major: 3 | 4): Promise<Nodes> {
  const devices = await isolate(cwd, {
    '127.0.0.1': [ECR, 'localhost'],
    '127.0.0.2': [API, STS],
    '127.0.0.3': [BUCKET],
  })
  const before = await attempts()
  const options: { port: number; quotas: 'none'; downloadOrigin?: string } = { port: 443, quotas: 'none' }
  const ecr = await startEcr(options)
  const relays = [
    await relay('127.0.0.2', portOf(ecr.endpoint)),
    await relay('127.0.0.3', portOf(ecr.downloadOrigin)),
  ]
  options.downloadOrigin = `https://${BUCKET}`
  const { imported, installed } = await importAndInstall(ecr, { cwd, PATH }, { major })
  const references = Object.values(installed?.releases ?? {}).flatMap((text) => imagesIn(text).pulled)

  const hostsDir = join(cwd, 'certs.d')
  await mkdir(join(hostsDir, ECR), { recursive: true })
  await writeFile(
    join(hostsDir, ECR, 'hosts.toml'),
    `server = "https://${ECR}"\n[host."https://${ECR}"]\nca = "${ecr.caFile}"\n`,
  )
  const pulled: Record<string, string> = {}
  const failed: string[] = []
  const containerd = await startContainerd()
  const user = Buffer.from(ecr.token(), 'base64').toString()
  for (const reference of new Set(references)) {
    // The kubelet brings a login for names of ECR only.
    const login = reference.startsWith(`${ECR}/`) ? { user } : {}
    try {
      pulled[reference] = (await containerd.pull(reference, { hostsDir, ...login })).digest
    } catch (error) {
      failed.push(`${reference}: ${String(error)}`)
    }
  }
  await containerd.stop()
  for (const server of relays) server.close()
  await ecr.stop()
  const tried = (await attempts()) - before
  return {
    devices,
    imported,
    ...(installed === undefined ? {} : { installed }),
    pulled,
    failed,
    attempts: tried,
  }
}

const [folder = '', path = '', helm = '3'] = process.argv.slice(2)
process.stdout.write(`${JSON.stringify(await run(folder, path, helm === '4' ? 4 : 3))}\n`)
