// `npm run quickstart`: a real export and a real import on this machine, told step by step.
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf, type Digest } from '../../src/oci/digest.ts'
import { helmFolder, helmLines } from './helm-lines.ts'
import { buildShop, ORIGIN, SHOP_BINDINGS, shopSpec, type Shop } from './shop.ts'
import { sized, rows, say, step } from './tell.ts'
import { runCommand } from './command.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { startSource } from '../support/source.ts'

const root = join(import.meta.dirname, '..', '..')
const folder = process.env.QUICKSTART_FOLDER ?? join(root, '.quickstart')
const stay = process.argv.includes('--stay')
const stopped = new AbortController()
process.on('SIGINT', () => stopped.abort())
process.on('SIGTERM', () => stopped.abort())

try {
  await main()
} catch (error) {
  await rm(folder, { recursive: true, force: true })
  if (!stopped.signal.aborted) say(`\nThe quick start failed: ${String(error)}`)
  process.exitCode = stopped.signal.aborted ? 130 : 1
}

// --- internal ---

async function main(): Promise<void> {
  say('ma-bundle quick start: both sides of an air gap on this machine. It needs no')
  say('account, no container engine and no internet; all servers are embedded.')
  say('"ma-bundle" is "npx bun src/cli.ts" here.')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  const programs = await helmFolder()

  step('The connected side: a registry and a chart repository')
  say('Packing files of this machine into images ...')
  const shop = await buildShop()
  const source = await startSource(shop.source)
  try {
    describe(shop, source.host)
    await writeFile(
      join(folder, 'shop.yaml'),
      programs === undefined ? shopSpec(source.host) + SHOP_BINDINGS : shopSpec(source.host),
    )
    await carry(shop, programs)
  } finally {
    await source.stop()
  }
}

function describe({ images, charts }: Shop, host: string): void {
  say(`Served on ${host}, for linux/amd64 and linux/arm64:\n`)
  say(
    rows([
      ...images.map(({ name, what, size }) => [what, `${ORIGIN}/${name}`, sized(size)]),
      ...charts.map(({ name, version }, at) => [
        'Helm chart',
        `${at === charts.length - 1 ? 'oci' : 'http'}://${host}/…/${name}:${version}`,
      ]),
    ]),
  )
}

async function carry(shop: Shop, programs: string | undefined): Promise<void> {
  step('Export: all of it into one tar, each shared layer once')
  const exported = await command('export', 'shop.tar', '--spec', 'shop.yaml')

  step("The isolated side: a registry with ECR's login, API and rules")
  const ecr = await startEcr({ tls: false, blobMounting: true, quotas: 'none' })
  try {
    say(`It listens on ${ecr.registry}, is empty, and refuses whoever does not log in.`)
    const to = ['--registry', ecr.registry, '--endpoint-url', ecr.endpoint]
    const imported = await command('import', 'shop.tar', ...to)
    const uploaded = ecr.log
      .requests('PUT', /\/blobs\//)
      .reduce((sum, { requestBytes }) => sum + requestBytes, 0)

    step('The same import again: what is there costs one request each')
    ecr.log.clear()
    const again = await command('import', 'shop.tar', ...to, '--quiet')
    const requests = ecr.log.entries.length

    await showImages(ecr, programs)
    step('What is where')
    say(`In the registry ${ecr.registry}, compared with the source:\n`)
    say(rows([['image or chart', 'digest', '    size', 'is'], ...arrivals(shop, ecr)]))
    const { size } = await stat(join(folder, 'shop.tar'))
    const sum = shop.images.reduce((total, image) => total + image.size, 0)
    say(
      `\n${rows([
        ['images, one by one', sized(sum)],
        ['the bundle', sized(size), `export took ${seconds(exported)}`],
        ['uploaded', sized(uploaded), `import took ${seconds(imported)}`],
        ['uploaded again', sized(0), `${requests} requests, ${seconds(again)}`],
      ])}`,
    )
    lookFurther()
    if (stay) await untilStopped(ecr)
  } finally {
    await ecr.stop()
  }

  async function command(...args: readonly string[]): Promise<number> {
    return runCommand(args, { folder, programs, signal: stopped.signal })
  }
}

/** Every row is asked of the registry: what is not what its source has would be told. */
function arrivals({ images, charts }: Shop, ecr: Ecr): string[][] {
  const tags = ecr.tags()
  const row = (place: string, size: number, same: (digest: Digest) => boolean): string[] => {
    const digest = tags[place]
    if (digest === undefined || !same(digest)) throw new Error(`${place} is not what its source has`)
    return [place, digest.slice(7, 19), sized(size), 'identical']
  }
  return [
    ...images.map(({ name, image, size }) =>
      row(`mirrored/${ORIGIN}/${name}`, size, (digest) => digest === image.digest),
    ),
    ...charts.map(({ name, version, tgz }) =>
      row(
        `charts/${name}:${version}`,
        tgz.length,
        () => ecr.repository(`charts/${name}`)?.blobs.has(digestOf(tgz)) === true,
      ),
    ),
  ]
}

async function showImages(ecr: Ecr, programs: string | undefined): Promise<void> {
  step('The values override: charts pull from the private registry now')
  const values = join('ma-bundle-values.d', 'shop-api.yaml')
  say(`${join('.quickstart', values)}, for the chart shop-api:\n`)
  say(await readFile(join(folder, values), 'utf8'))
  if (programs === undefined)
    say('(The helm that npm brings runs on linux x64 only: nothing is rendered here.)')
  else say(await helmLines(programs, ecr, 'shop-api', '2.0.1', join(folder, values)))
}

function lookFurther(): void {
  const cli = 'npx bun src/cli.ts'
  step('Look further')
  say('Bundle and values are in .quickstart/ (run the quick start again to renew them):\n')
  say(`  ${cli} inspect .quickstart/shop.tar`)
  say(`  ${cli} verify .quickstart/shop.tar`)
  say('  tar tf .quickstart/shop.tar')
  say('  cat .quickstart/ma-bundle-values.yaml')
  if (existsSync('/usr/bin/skopeo')) {
    say(`  skopeo inspect oci-archive:.quickstart/shop.tar:${ORIGIN}/shop/web:1.4.0`)
  }
  if (!stay) say('  npm run quickstart -- --stay      keeps the private registry until Ctrl-C')
}

async function untilStopped(ecr: Ecr): Promise<void> {
  say(`\nThe registry stays at http://${ecr.registry} until Ctrl-C. User AWS, password from:`)
  say('  cat .quickstart/password')
  const login = Buffer.from(ecr.token(), 'base64').toString()
  await writeFile(join(folder, 'password'), login.slice(login.indexOf(':') + 1), { mode: 0o600 })
  await new Promise<void>((resolve) => {
    stopped.signal.addEventListener('abort', () => resolve())
  })
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
