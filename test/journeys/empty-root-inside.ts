// Runs in a namespace of its own, which has nothing but loopback: `empty-root.test.ts` starts it there.
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { startEcr } from '../support/ecr/server.ts'
import { runProgram } from '../support/program.ts'

/** What happened inside, as one line of JSON on standard output. */
export interface Inside {
  /** What each command printed, in the order of `commands`. */
  readonly printed: readonly string[]
  /** Repositories with tags, by registry. */
  readonly ecr: readonly string[]
  readonly registry: readonly string[]
  /** Files at the top in the end. */
  readonly files: readonly string[]
}

const [root = ''] = process.argv.slice(2)

/** A shell of busybox with nothing else, no environment and no program but what the bundle brings. */
async function inside(command: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const variables = Object.entries({ PATH: '/bin', ...env }).map(([name, value]) => `${name}=${value}`)
  const shell = ['sh', '-c', `cd / && ${command}`]
  const { stdout } = await runProgram('chroot', [root, '/bin/busybox', 'env', '-i', ...variables, ...shell])
  return stdout.toString()
}

await runProgram('ip', ['link', 'set', 'lo', 'up'])
await mkdir(join(root, 'proc'))
await runProgram('mount', ['-t', 'proc', 'proc', join(root, 'proc')])
const ecr = await startEcr({ quotas: 'none' })
const registry = await startDockerRegistry()
await writeFile(join(root, 'ca.pem'), ecr.ca)

const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = ecr.environment
const keys = { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }
const toEcr = `--registry ${ecr.registry} --endpoint-url ${ecr.endpoint} --region ${ecr.region} --ca-file ca.pem`
const plain = `--registry ${registry.host} --insecure-registry ${registry.host}`
const printed = [
  await inside('tar xOf bundle.tar ma-bundle > ma-bundle && chmod +x ma-bundle && ./ma-bundle --version -v'),
  await inside(`./ma-bundle import bundle.tar ${plain} --quiet`),
  await inside(`./ma-bundle import bundle.tar ${toEcr} --quiet`, keys),
  await inside(`./ma-bundle verify bundle.tar ${toEcr} --quiet`, keys),
]
const tags = await (await fetch(`http://${registry.host}/v2/_catalog`)).json()
const result: Inside = {
  printed,
  ecr: Object.keys(ecr.tags()).toSorted(),
  registry: (tags as { readonly repositories: readonly string[] }).repositories,
  files: (await readdir(root)).toSorted(),
}
await registry.stop()
await ecr.stop()
console.log(JSON.stringify(result))
