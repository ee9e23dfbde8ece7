import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf, hexOf, type Digest } from '../../src/oci/digest.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { startEcr } from '../support/ecr/server.ts'
import { buildImage, buildIndex, layerOf, noise } from '../support/images.ts'
import { startDouble } from '../support/registry/double.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource } from '../support/source.ts'

const layer = layerOf({ a: noise(2000, 1) })
const amd64 = buildImage([layer], { platform: 'linux/amd64' })
const arm64 = buildImage([layerOf({ b: noise(2000, 2) })], { platform: 'linux/arm64' })
const image = buildIndex([amd64, arm64])
const config = [...amd64.blobs.keys()][0] as Digest

let folder: string
let registry: DockerRegistry
let repository: string
const bundle = () => join(folder, 'bundle.tar')

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'repair-registry-'))
  const source = await startSource({ images: { 'team/app:1': image } })
  repository = `mirrored/${source.host.replace(':', '-')}/team/app`
  await writeFile(join(folder, 'spec.yaml'), `images: ["${source.host}/team/app:1"]\n`)
  const exported = await runShell(['export', bundle(), '--spec', join(folder, 'spec.yaml')])
  expect(exported.code, exported.stderr).toBe(0)
  await source.stop()
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(async () => {
  registry = await startDockerRegistry()
})
afterEach(() => registry.stop())

const values = () => ['--values', join(folder, 'values.yaml')]
const importTo = (host: string, ...more: readonly string[]) =>
  runShell(['import', bundle(), '--registry', host, ...values(), ...more])
const verifyAt = (host: string, ...more: readonly string[]) =>
  runShell(['verify', bundle(), '--registry', host, ...more])

/** Runs the very command a message ends with. */
async function obey({ stderr }: Outcome, env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const command = /push what is missing or wrong with: ma-bundle (.*)/.exec(stderr)?.[1]
  expect(command, stderr).toBeDefined()
  return runShell([...(command ?? '').split(' '), ...values()], { env })
}

async function drop(host: string, path: string): Promise<void> {
  const answer = await fetch(`http://${host}/v2/${repository}/${path}`, { method: 'DELETE' })
  expect(answer.status).toBe(202)
}

const bytesOf = async (host: string, path: string): Promise<Digest> => {
  const accept = 'application/vnd.oci.image.manifest.v1+json'
  const answer = await fetch(`http://${host}/v2/${repository}/${path}`, { headers: { accept } })
  return digestOf(new Uint8Array(await answer.arrayBuffer()))
}

describe('what a registry lost below a tag', () => {
  it.each([
    ['a manifest', () => `manifests/${arm64.digest}`],
    ['a layer', () => `blobs/${digestOf(layer)}`],
    ['a config', () => `blobs/${config}`],
  ])('%s is found, and made whole by the command that verify prints', async (_, path) => {
    expect((await importTo(registry.host)).code).toBe(0)
    await drop(registry.host, path())
    const found = await verifyAt(registry.host)
    expect(found.code).toBe(1)
    expect(found.stdout).toContain(`incomplete: `)
    expect(found.stdout).toContain(path().replace(/.*\//, ''))
    const mended = await obey(found)
    expect(mended.code, mended.stderr).toBe(0)
    expect(await bytesOf(registry.host, path())).toBe(path().replace(/.*\//, ''))
    expect((await verifyAt(registry.host)).code).toBe(0)
  })

  it('is found at ECR too', async () => {
    const ecr = await startEcr({ tls: false, quotas: 'none' })
    const place = ['--endpoint-url', ecr.endpoint, '--region', ecr.region]
    const env = ecr.environment
    const imported = await runShell(['import', bundle(), '--registry', ecr.registry, ...place, ...values()], {
      env,
    })
    expect(imported.code, imported.stderr).toBe(0)
    const held = ecr.repositories().find(({ name }) => name === repository)
    held?.images.delete(arm64.digest)
    held?.blobs.delete(digestOf(layer))
    const check = () => runShell(['verify', bundle(), '--registry', ecr.registry, ...place], { env })
    const found = await check()
    expect(found.code).toBe(1)
    const mended = await obey(found, env)
    expect(mended.code, mended.stderr).toBe(0)
    const after = await check()
    await ecr.stop()
    expect(after.code, after.stdout).toBe(0)
  })

  it('comes back through a pipe as well', async () => {
    expect((await importTo(registry.host)).code).toBe(0)
    await drop(registry.host, `blobs/${digestOf(layer)}`)
    const stdin = await readFile(bundle())
    const args = ['import', '-', '--registry', registry.host, '--repair', ...values()]
    const mended = await runShell(args, { stdin })
    expect(mended.code, mended.stderr).toBe(0)
    expect((await verifyAt(registry.host)).code).toBe(0)
  })

  it('is in no inventory', async () => {
    expect((await importTo(registry.host)).code).toBe(0)
    await drop(registry.host, `manifests/${arm64.digest}`)
    await drop(registry.host, `blobs/${digestOf(layer)}`)
    const outcome = await runShell(['inventory', '--registry', registry.host, '--bundle', bundle()])
    expect(outcome.code, outcome.stderr).toBe(0)
    expect(outcome.stdout).toContain(hexOf(config))
    expect(outcome.stdout).not.toContain(hexOf(digestOf(layer)))
    expect(outcome.stdout.split('\n')).toHaveLength(4)
    expect(outcome.stderr).toContain(digestOf(layer))
    expect(outcome.stderr).toContain(arm64.digest)
  })
})

it('a registry that is whole is left as it is, with --repair too', async () => {
  expect((await importTo(registry.host)).code).toBe(0)
  const outcome = await importTo(registry.host, '--repair', '--deep')
  expect(outcome.code, outcome.stderr).toBe(0)
  expect(outcome.stdout).toContain('0 pushed, 1 unchanged')
})

describe('a blob with other bytes than its digest says', () => {
  it('is found by --deep alone, and replaced where the registry takes it', async () => {
    const target = await startDouble()
    expect((await importTo(target.host)).code).toBe(0)
    target.contents.blobs.get(repository)?.set(digestOf(layer), Buffer.alloc(layer.length, 1))
    expect((await verifyAt(target.host)).code).toBe(0)
    const found = await verifyAt(target.host, '--deep')
    expect(found.code).toBe(5)
    expect(found.stdout).toContain('damaged: ')
    expect(found.stdout).toContain(digestOf(layer))
    const mended = await obey(found)
    expect(mended.code, mended.stderr).toBe(0)
    const after = await verifyAt(target.host, '--deep')
    await target.stop()
    expect(after.code).toBe(0)
    expect(after.stdout).toContain('1 of 1 are in')
    expect(after.stdout).toContain('byte for byte')
  })

  it('that a registry keeps is mended after what the message says was done', async () => {
    expect((await importTo(registry.host)).code).toBe(0)
    const hex = hexOf(digestOf(layer))
    const stored = join(registry.storage, `docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`)
    await writeFile(stored, Buffer.alloc(layer.length, 1))
    const found = await verifyAt(registry.host, '--deep')
    expect(found.code).toBe(5)
    const kept = await obey(found)
    expect(kept.code).toBe(5)
    expect(kept.stderr).toContain(`the registry keeps other bytes than its digest says for sha256:${hex}`)
    expect(kept.stderr).toContain('delete the blob from its storage (its file, or garbage collection)')
    await rm(stored)
    const mended = await obey(found)
    expect(mended.code, mended.stderr).toBe(0)
    expect((await verifyAt(registry.host, '--deep')).code).toBe(0)
  })
})

it('--deep says what it needs', async () => {
  const alone = await importTo(registry.host, '--deep')
  expect(alone.code).toBe(2)
  expect(alone.stderr).toContain('add --repair')
  const piped = await runShell(['import', '-', '--registry', registry.host, '--repair', '--deep'])
  expect(piped.code).toBe(2)
  expect(piped.stderr).toContain('save the bundle to a file first')
})

describe('an inventory', () => {
  it('warns about a tag that stands for nothing, and lists the rest', async () => {
    const target = await startDouble()
    expect((await importTo(target.host)).code).toBe(0)
    const held = target.contents.manifests.get(repository)
    target.addFault({
      on: /tags\/list/,
      change: () => ({
        status: 200,
        headers: { 'content-type': 'application/json' },
        body: Buffer.from('{"tags":["1","gone"]}'),
      }),
    })
    const outcome = await runShell(['inventory', '--registry', target.host, '--bundle', bundle()])
    await target.stop()
    expect(held?.has('gone')).toBe(false)
    expect(outcome.code, outcome.stderr).toBe(0)
    expect(outcome.stdout).toContain(hexOf(digestOf(layer)))
    expect(outcome.stderr).toContain('the registry lost the manifest of tag gone')
  })

  it('of a login page is an error, not an empty one', async () => {
    const target = await startDouble()
    expect((await importTo(target.host)).code).toBe(0)
    target.addFault({
      on: /tags\/list/,
      change: () => ({
        status: 200,
        headers: { 'content-type': 'text/html' },
        body: Buffer.from('<html>Sign in</html>'),
      }),
    })
    const outcome = await runShell(['inventory', '--registry', target.host, '--bundle', bundle()])
    await target.stop()
    expect(outcome.code).toBe(1)
    expect(outcome.stdout).toBe('')
    expect(outcome.stderr).toContain('something else than a list of tags')
  })
})
