import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { startEcr, type Ecr, type EcrOptions } from '../support/ecr/server.ts'
import { buildImage, buildIndex, layerOf, noise, pushImage, type BuiltImage } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'

let folder: string
let source: DockerRegistry
let ecr: Ecr | undefined
const bundle = () => join(folder, 'bundle.tar')

const shared = layerOf({ base: noise(300_000, 1) })
const image = (seed: number, platform: string): BuiltImage =>
  buildImage([shared, layerOf({ own: noise(100_000, seed) })], { platform })
const images: Readonly<Record<string, BuiltImage>> = {
  'team/one:1': buildIndex([image(2, 'linux/amd64'), image(3, 'linux/arm64')]),
  'team/two:1': buildIndex([image(4, 'linux/amd64'), image(5, 'linux/arm64')]),
  'team/two:2': image(6, 'linux/amd64'),
}

async function makeBundle(list: Readonly<Record<string, BuiltImage>>): Promise<void> {
  for (const [name, built] of Object.entries(list)) {
    const [repository = '', tag] = name.split(':')
    await pushImage(`http://${source.host}`, repository, tag, built)
  }
  const spec = join(folder, 'spec.yaml')
  writeFileSync(
    spec,
    `images:\n${Object.keys(list)
      .map((name) => `  - ${source.host}/${name}\n`)
      .join('')}`,
  )
  const exported = await runShell(['export', bundle(), '--spec', spec, '--quiet'])
  expect(exported.stderr).toBe('')
  expect(exported.code).toBe(0)
}

async function start(options: EcrOptions = {}): Promise<Ecr> {
  ecr = await startEcr({ tls: false, quotas: 'none', ...options })
  return ecr
}

/** The import of the bundle into the double. */
const run = (registry: Ecr, ...more: readonly string[]): Promise<Outcome> =>
  runShell(
    [
      'import',
      bundle(),
      '--registry',
      registry.registry,
      '--endpoint-url',
      registry.endpoint,
      '--region',
      registry.region,
      '--values',
      join(folder, 'values.yaml'),
      ...more,
    ],
    { env: { ...registry.environment, XDG_STATE_HOME: folder } },
  )

const place = (name: string): string => `mirrored/${source.host.replace(':', '-')}/${name}`

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'import-ecr-'))
  source = await startDockerRegistry()
})
afterAll(async () => {
  await source.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(() => makeBundle(images))
afterEach(async () => {
  await ecr?.stop()
  ecr = undefined
})

describe('import into ECR', () => {
  it('makes the repositories, pushes what is needed and nothing twice', async () => {
    const registry = await start()
    const { code, stderr } = await run(registry)
    expect({ code, stderr: stderr.includes('error') }).toEqual({ code: 0, stderr: false })
    expect(registry.tags()).toEqual({
      [place('team/one:1')]: images['team/one:1']?.digest,
      [place('team/two:1')]: images['team/two:1']?.digest,
      [place('team/two:2')]: images['team/two:2']?.digest,
    })
    // Shared and own layers and configs: five blobs for one, seven for two, whose two tags share the base.
    expect(registry.log.counts()).toMatchObject({
      GetAuthorizationToken: 1,
      CreateRepository: 2,
      InitiateLayerUpload: 12,
      CompleteLayerUpload: 12,
      PutImage: 7,
    })
    expect(registry.log.count('BatchCheckLayerAvailability')).toBe(0)
  })

  it('costs one request a root, and no call of the API but the login, when all is there', async () => {
    const registry = await start()
    await run(registry)
    registry.log.clear()
    const again = await run(registry, '--json')
    expect(again.code).toBe(0)
    expect(registry.log.counts()).toEqual({ GetAuthorizationToken: 1, BatchGetImage: 3 })
    expect(registry.log.requests()).toHaveLength(4)
    expect(again.json.at(-1)).toMatchObject({ type: 'result', result: { roots: [{}, {}, {}] } })
  })

  it('mounts shared layers when the account allows it', async () => {
    const registry = await start({ blobMounting: true })
    expect((await run(registry)).code).toBe(0)
    const mounts = registry.log.requests('POST', /uploads/).filter(({ query }) => query.includes('mount='))
    expect(mounts.map(({ status }) => status)).toEqual([201])
    expect(registry.log.count('CompleteLayerUpload')).toBe(11)
  })

  it('bears the quota of PutImage', async () => {
    const registry = await start({ quotas: { PutImage: 3 } })
    expect((await run(registry)).code).toBe(0)
    expect(Object.keys(registry.tags())).toHaveLength(3)
  })

  it('logs in again when the token expires in mid-run', async () => {
    const registry = await start({ tokenSeconds: 1, latencyMs: 150 })
    expect((await run(registry, '--concurrency', '1')).code).toBe(0)
    expect(registry.log.count('GetAuthorizationToken')).toBeGreaterThan(1)
    expect(Object.keys(registry.tags())).toHaveLength(3)
  })

  it('finishes after resets in mid-upload, with a new session each', async () => {
    const registry = await start()
    registry.faults.add({
      on: { action: 'UploadLayerPart' },
      fault: { kind: 'reset', afterBytes: 1000 },
      times: 3,
    })
    expect((await run(registry)).code).toBe(0)
    expect(Object.keys(registry.tags())).toHaveLength(3)
  })

  it('uploads in parts that survive a killed run', async () => {
    const big = buildImage([layerOf({ big: noise(14 * 1024 * 1024, 9) })])
    await makeBundle({ 'team/big:1': big })
    const registry = await start()
    registry.faults.add({
      on: { action: 'UploadLayerPart' },
      fault: { kind: 'status', status: 403 },
      skip: 1,
      times: 100,
    })
    const broken = await run(registry, '--resumable-uploads')
    expect(broken.code).not.toBe(0)
    registry.faults.clear()
    registry.log.clear()
    expect((await run(registry, '--resumable-uploads')).code).toBe(0)
    expect(registry.tags()).toEqual({ [place('team/big:1')]: big.digest })
    // The first run's part is not sent again: what is left of 14 MiB fits into fewer parts.
    expect(registry.log.count('InitiateLayerUpload')).toBe(1)
  })

  it('says clearly that an immutable tag stands for something else, and pushes the rest', async () => {
    const registry = await start()
    registry.createRepository(place('team/two'), { imageTagMutability: 'IMMUTABLE' })
    expect((await run(registry)).code).toBe(0)
    await makeBundle({ ...images, 'team/two:2': image(77, 'linux/amd64') })
    const { code, stderr } = await run(registry)
    expect(code).toBe(1)
    expect(stderr).toContain('immutable')
    expect(stderr).toContain('team/two:2')
    expect(registry.tags()[place('team/two:2')]).toBe(images['team/two:2']?.digest)
  })

  it('puts a tag again that ECR lost behind a success', async () => {
    const registry = await start()
    const path = /team\/two\/manifests\/2$/
    registry.faults.add({ on: { method: 'PUT', path }, fault: { kind: 'lose-tag' } })
    expect((await run(registry)).code).toBe(0)
    expect(registry.tags()[place('team/two:2')]).toBe(images['team/two:2']?.digest)
    expect(registry.log.requests('PUT', path)).toHaveLength(2)
  })

  it('says so when a tag is lost again', async () => {
    const registry = await start()
    const path = /team\/two\/manifests\/2$/
    registry.faults.add({ on: { method: 'PUT', path }, fault: { kind: 'lose-tag' }, times: 9 })
    const { code, stderr } = await run(registry)
    expect(code).toBe(5)
    expect(stderr).toContain('after the push, 2 stands for nothing')
    expect(registry.log.requests('PUT', path)).toHaveLength(2)
  })

  it('sets new repositories up as asked, and reports what differs in old ones', async () => {
    const registry = await start()
    registry.createRepository(place('team/one'), { imageTagMutability: 'MUTABLE' })
    const { code, stderr } = await run(
      registry,
      '--tag-mutability',
      'IMMUTABLE',
      '--scan-on-push',
      '--tags',
      'team=search',
    )
    expect(code).toBe(0)
    expect(stderr).toContain('left alone')
    expect(registry.repository(place('team/two'))).toMatchObject({
      mutability: { mode: 'IMMUTABLE' },
      scanOnPush: true,
    })
  })

  it('needs nothing but the login to be told of wrong credentials', async () => {
    const registry = await start()
    const { code, stderr } = await runShell(
      [
        'import',
        bundle(),
        '--registry',
        registry.registry,
        '--endpoint-url',
        registry.endpoint,
        '--region',
        'eu-central-1',
      ],
      { env: { AWS_ACCESS_KEY_ID: 'AKIAWRONG', AWS_SECRET_ACCESS_KEY: 'wrong' } },
    )
    expect(code).toBe(3)
    expect(stderr).toContain('AWS does not know these credentials')
    expect(stderr).not.toContain('    at ')
  })

  it('refuses a damaged layer before the registry has it', async () => {
    const registry = await start()
    const bytes = readFileSync(bundle())
    const at = bytes.indexOf(Buffer.from(shared.subarray(1000, 1064)))
    bytes[at + 5] = (bytes[at + 5] ?? 0) ^ 1
    writeFileSync(bundle(), bytes)
    const { code, stderr } = await run(registry)
    expect(code).toBe(5)
    expect(stderr).toContain(digestOf(shared))
    expect(registry.tags()).toEqual({})
    expect(
      registry.log.requests('PUT', /blobs/).filter(({ status }) => status === 201 || status === 400),
    ).not.toContainEqual(expect.objectContaining({ requestBytes: shared.length }))
  })

  it('is checked against the registry at any time', async () => {
    const registry = await start()
    await run(registry)
    const check = () =>
      runShell(
        [
          'verify',
          bundle(),
          '--registry',
          registry.registry,
          '--endpoint-url',
          registry.endpoint,
          '--region',
          registry.region,
          '--json',
        ],
        { env: registry.environment },
      )
    expect(await check()).toMatchObject({ code: 0 })
    await pushImage(`http://${registry.registry}`, place('team/two'), 'more', image(6, 'linux/amd64'), {
      authorization: `Basic ${registry.token()}`,
    })
    await pushImage(`http://${registry.registry}`, place('team/two'), '2', image(88, 'linux/amd64'), {
      authorization: `Basic ${registry.token()}`,
    })
    const found = await check()
    expect(found.code).toBe(5)
    const result = found.json.find(({ type }) => type === 'result')
    expect(result).toMatchObject({
      result: {
        extra: [place('team/two:more')],
        roots: expect.arrayContaining([
          expect.objectContaining({ name: `${source.host}/team/two:2`, state: 'changed' }),
        ]),
      },
    })
  })
})
