import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { startDouble, type DoubleOptions, type RegistryDouble } from '../support/registry/double.ts'
import { status, type Fault } from '../support/registry/faults.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
const running: (RegistryDouble | Ecr)[] = []
const bundle = (): string => join(folder, 'bundle.tar')

const shared = layerOf({ base: noise(300_000, 1) })
const image = (seed: number, platform: string): BuiltImage =>
  buildImage([shared, layerOf({ own: noise(100_000, seed) })], { platform })
/** Two repositories that share a layer: 12 blobs in them, 11 of them different, and 7 manifests under 3 tags. */
const images: Readonly<Record<string, BuiltImage>> = {
  'team/one:1': buildIndex([image(2, 'linux/amd64'), image(3, 'linux/arm64')]),
  'team/two:1': buildIndex([image(4, 'linux/amd64'), image(5, 'linux/arm64')]),
  'team/two:2': image(6, 'linux/amd64'),
}
/** One look at each tag before and one after; a POST for each blob, a PUT for those that are sent. */
const COLD = { 'HEAD manifest': 6, 'POST upload': 12, 'PUT blob': 11, 'PUT manifest': 7 }
/** Once a run: does the registry grant mounts? */
const QUESTION = 1

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'requests-'))
  source = await startSource({ images })
  const spec = join(folder, 'spec.yaml')
  const list = Object.keys(images).map((name) => `  - ${source.host}/${name}\n`)
  writeFileSync(spec, `images:\n${list.join('')}`)
  const exported = await runShell(['export', bundle(), '--spec', spec, '--quiet'])
  expect(exported.stderr).toBe('')
})
afterAll(async () => {
  await source.stop()
  rmSync(folder, { recursive: true })
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()))
})

async function start(options: DoubleOptions = {}): Promise<RegistryDouble> {
  const double = await startDouble(options)
  running.push(double)
  return double
}

const run = (double: RegistryDouble, ...more: readonly string[]): Promise<Outcome> =>
  runShell(['import', bundle(), '--registry', double.host, '--values', join(folder, 'v.yaml'), ...more])

/** The requests since the last time, by what they were for. */
function counted(double: RegistryDouble): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const line of double.take()) {
    const [method = '', path = ''] = line.split(' ')
    const isBlob = method === 'PUT' || !path.includes('/uploads/')
    const what = path.startsWith('/token')
      ? 'token'
      : path.includes('/manifests/')
        ? 'manifest'
        : isBlob
          ? 'blob'
          : 'upload'
    counts[`${method} ${what}`] = (counts[`${method} ${what}`] ?? 0) + 1
  }
  return counts
}

/** As registries that grant no mounts: an upload is opened whatever is there. */
const grantsNothing: Fault = {
  on: /^POST .*mount=/,
  change: (next, request) => {
    request.query.delete('mount')
    return next()
  },
}

describe('what an export asks for', () => {
  it('is each tag, manifest and blob once', () => {
    expect(source.requests).toHaveLength(7 + 11)
    expect(new Set(source.requests).size).toBe(source.requests.length)
  })
})

describe('what an import asks a registry for', () => {
  it('is what it brings, and one question', async () => {
    const double = await start()
    expect((await run(double)).code).toBe(0)
    expect(counted(double)).toEqual({ ...COLD, 'POST upload': COLD['POST upload'] + QUESTION })
  })

  it('is one request a root when all is there', async () => {
    const double = await start()
    await run(double)
    double.take()
    expect((await run(double)).code).toBe(0)
    expect(counted(double)).toEqual({ 'HEAD manifest': 3 })
  })

  it('sends no blob again after a run that broke', async () => {
    const double = await start({ faults: [{ on: /^PUT .*manifests/, change: status(403) }] })
    expect((await run(double)).code).not.toBe(0)
    double.clearFaults()
    double.take()
    expect((await run(double)).code).toBe(0)
    // What is there is looked at, for it has to be whole; but for the layer that is mounted from where it was seen to be.
    expect(counted(double)).toEqual({
      'HEAD manifest': 6,
      'POST upload': 12,
      'HEAD blob': 11,
      'PUT manifest': 7,
    })
  })

  it('finds what a crash of the registry cut short, and brings it anew', async () => {
    const double = await start()
    await run(double)
    const [name = '', blobs] = [...double.contents.blobs].find(([at]) => at.endsWith('team/one')) ?? []
    const [digest = '', content] = [...(blobs ?? [])].find(([, { length }]) => length > 200_000) ?? []
    for (const manifests of double.contents.manifests.values()) manifests.clear()
    blobs?.set(digest, content?.subarray(0, 1000) ?? Buffer.alloc(0))
    expect((await run(double)).code).toBe(0)
    expect(content !== undefined && double.contents.blobs.get(name)?.get(digest)?.equals(content)).toBe(true)
  })

  it('falls back to HEAD where no mounts are granted', async () => {
    const double = await start({ faults: [grantsNothing] })
    expect((await run(double, '--concurrency', '1')).code).toBe(0)
    for (const manifests of double.contents.manifests.values()) manifests.clear()
    double.take()
    expect((await run(double, '--concurrency', '1')).code).toBe(0)
    const { 'PUT blob': sent, 'HEAD blob': asked, ...rest } = counted(double)
    // The first blob tells; the shared layer is asked to be mounted in its own way.
    expect({ sent, asked }).toEqual({ sent: 2, asked: 10 })
    expect(rest).toMatchObject({ 'HEAD manifest': 6, 'PUT manifest': 7 })
  })

  it('is more where mounts are refused with errors, and nothing is missing', async () => {
    const double = await start({ faults: [{ on: /^POST .*mount=/, change: status(400) }] })
    expect((await run(double)).code).toBe(0)
    expect([...double.contents.manifests.values()].flatMap((one) => [...one.keys()])).toHaveLength(7 + 3)
    const { 'PUT blob': sent } = counted(double)
    expect(sent).toBe(12)
  })
})

describe('what an import asks ECR for', () => {
  const runEcr = (ecr: Ecr): Promise<Outcome> => {
    const place = ['--registry', ecr.registry, '--endpoint-url', ecr.endpoint, '--region', ecr.region]
    return runShell(['import', bundle(), ...place, '--values', join(folder, 'v.yaml')], {
      env: { ...ecr.environment, XDG_STATE_HOME: folder },
    })
  }

  it('is one question a root for the layers of a repository that was there, and what it lacks', async () => {
    const ecr = await startEcr({ tls: false, quotas: 'none' })
    running.push(ecr)
    ecr.faults.add({ on: { action: 'PutImage' }, fault: { kind: 'status', status: 403 }, times: 99 })
    expect((await runEcr(ecr)).code).not.toBe(0)
    ecr.faults.clear()
    ecr.log.clear()
    expect((await runEcr(ecr)).code).toBe(0)
    expect(ecr.log.counts()).toEqual({
      GetAuthorizationToken: 1,
      GetAccountSetting: 1,
      DescribeRepositories: 2,
      BatchCheckLayerAvailability: 3,
      PutImage: 7,
      BatchGetImage: 6,
    })
  })

  it('is a look at each layer where the API does not tell', async () => {
    const ecr = await startEcr({ tls: false, quotas: 'none' })
    running.push(ecr)
    await runEcr(ecr)
    for (const repository of ecr.log.entries.flatMap(({ repository: name }) => name ?? []))
      ecr.repository(repository)?.imageTags.clear()
    ecr.log.clear()
    const api = { action: 'BatchCheckLayerAvailability', plane: 'api' } as const
    ecr.faults.add({ on: api, fault: { kind: 'status', status: 404 }, times: 99 })
    expect((await runEcr(ecr)).code).toBe(0)
    // Two roots of one repository share a layer, and each looks for it.
    expect(ecr.log.requests('HEAD', /\/blobs\//)).toHaveLength(13)
    expect(ecr.log.requests('PUT', /\/blobs\//)).toEqual([])
  })
})
