import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { startCli } from '../support/cli.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { actionsBeyond } from '../support/ecr-client.ts'
import { buildImage, buildIndex, layerOf, noise, pushImage, type BuiltImage } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let ecr: Ecr
let registry: DockerRegistry

const shared = layerOf({ base: noise(20_000, 1) })
const image = (seed: number, platform = 'linux/amd64'): BuiltImage =>
  buildImage([shared, layerOf({ own: noise(2_000, seed) })], { platform })
const index = (seed: number): BuiltImage => buildIndex([image(seed), image(seed + 1, 'linux/arm64')])
/** `both` is in the two bundles; `moved` stands for something else in the new one; the others are in one only. */
const older = { 'a/both:1': index(10), 'a/moved:1': index(20), 'a/gone:1': index(30), 'a/used:1': index(40) }
const newer = { 'a/both:1': older['a/both:1'], 'a/moved:1': index(50), 'a/came:1': image(60) }

const at = (name: string): string => join(folder, name)
const home = (): string => source.host.replace(':', '-')
const place = (name: string): string => `mirrored/${home()}/${name}`

async function exportOf(file: string, names: readonly string[]): Promise<void> {
  writeFileSync(at('spec.yaml'), `images:\n${names.map((name) => `  - ${source.host}/${name}\n`).join('')}`)
  expect(await runShell(['export', at(file), '--spec', at('spec.yaml'), '--quiet'])).toMatchObject({
    code: 0,
  })
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'prune-'))
  source = await startSource({ images: { ...newer, ...older } })
  await exportOf('old.tar', Object.keys(older))
  source.replace('a/moved:1', newer['a/moved:1'])
  await exportOf('new.tar', Object.keys(newer))
  registry = await startDockerRegistry()
})
afterAll(async () => {
  await Promise.all([registry.stop(), source.stop()])
  rmSync(folder, { recursive: true })
})

const resultOf = ({ json }: Outcome) => json.find(({ type }) => type === 'result')?.['result'] as Pruned
interface Pruned {
  readonly deleted: boolean
  readonly kept: number
  readonly young: number
  readonly repositories: readonly {
    readonly repository: string
    readonly manifests: readonly { readonly digest: string; readonly tags: readonly string[] }[]
    readonly repositoryDeleted: boolean
  }[]
}

const digestsIn = (result: Pruned): readonly string[] =>
  result.repositories.flatMap(({ manifests }) => manifests.map(({ digest }) => digest)).toSorted()
const digestsOf = (...images: readonly BuiltImage[]): readonly string[] =>
  images.flatMap(({ digest, children }) => [digest, ...children.map((child) => child.digest)]).toSorted()

describe('prune of an ECR registry', () => {
  const flags = (): readonly string[] => [
    '--registry',
    ecr.registry,
    '--endpoint-url',
    ecr.endpoint,
    '--region',
    ecr.region,
  ]
  const run = (...args: readonly string[]): Promise<Outcome> =>
    runShell([...args, ...(args[0] === 'values' ? flags().slice(0, 2) : flags())], {
      env: { ...ecr.environment, XDG_STATE_HOME: folder },
    })
  const prune = (...more: readonly string[]): Promise<Outcome> =>
    run('prune', '--keep', at('new.tar'), '--grace', '0', ...more)

  beforeEach(async () => {
    ecr = await startEcr({ tls: false, quotas: 'none' })
    for (const file of ['old.tar', 'new.tar'])
      expect(await run('import', at(file), '--values', at('values.yaml'))).toMatchObject({ code: 0 })
  })
  afterEach(() => ecr.stop())

  it('lists what only the old bundle brought, names each, and changes nothing', async () => {
    const before = ecr.tags()
    const { code, stdout } = await prune()
    expect(code).toBe(0)
    expect(stdout).toContain(`${place('a/gone')}:1`)
    expect(stdout).toContain(`${place('a/moved')}@${older['a/moved:1'].digest}`)
    expect(stdout).toContain('Would delete 9 manifests in 3 repositories')
    expect(stdout).toContain('--yes')
    expect(ecr.tags()).toEqual(before)
    expect(ecr.log.entries.filter(({ actions }) => actions.includes('BatchDeleteImage'))).toEqual([])
  })

  it('deletes it with --yes, keeps what a cluster uses, and finds nothing the second time', async () => {
    writeFileSync(
      at('pods.json'),
      JSON.stringify({
        items: [{ spec: { containers: [{ image: `${ecr.registry}/${place('a/used')}:1` }] } }],
      }),
    )
    const before = ecr.log.entries.length
    const done = await prune('--yes', '--in-use', at('pods.json'), '--json')
    expect(actionsBeyond(ecr, 'prune', before)).toEqual([])
    expect(done.code).toBe(0)
    expect(digestsIn(resultOf(done))).toEqual(digestsOf(older['a/moved:1'], older['a/gone:1']))
    expect(
      resultOf(done).repositories.find(({ repository }) => repository === place('a/gone'))?.repositoryDeleted,
    ).toBe(true)
    expect(ecr.repository(place('a/gone'))).toBeUndefined()
    expect([...(ecr.repository(place('a/used'))?.images.keys() ?? [])].toSorted()).toEqual(
      digestsOf(older['a/used:1']),
    )
    expect(await run('verify', at('new.tar'))).toMatchObject({ code: 0 })
    const again = await prune('--in-use', at('pods.json'))
    expect(again).toMatchObject({ code: 0 })
    expect(again.stdout).toContain('Nothing to delete')
  })

  it('lets a site go back as long as the older bundle is kept, and says when it cannot', async () => {
    // A tag that both bundles have stands for one of them only: going back imports the older one again.
    await run('import', at('old.tar'), '--values', at('older-values.yaml'))
    expect(await prune('--yes', '--keep', at('old.tar'))).toMatchObject({ code: 0 })
    expect(await run('verify', at('old.tar'))).toMatchObject({ code: 0 })
    expect(await run('values', at('old.tar'))).toMatchObject({ code: 0 })
    expect(await prune('--yes')).toMatchObject({ code: 0 })
    const gone = await run('verify', at('old.tar'))
    expect(gone.code).not.toBe(0)
    expect(gone.stdout + gone.stderr).toContain('a/gone:1')
  })

  it('keeps by a lock as by a bundle, and an image of which only a child runs', async () => {
    const child = older['a/gone:1'].children[1]?.digest ?? ''
    writeFileSync(at('pods.yaml'), `status: { imageID: docker-pullable://x@${child} }\n`)
    const { stdout, code } = await run(
      'prune',
      '--keep',
      at('new.tar.lock.json'),
      '--grace',
      '0',
      '--in-use',
      at('pods.yaml'),
      '--yes',
      '--json',
    )
    expect(code).toBe(0)
    expect(stdout).not.toContain(child)
    expect(ecr.repository(place('a/gone'))?.images.has(child as never)).toBe(true)
    expect(await run('verify', at('new.tar'))).toMatchObject({ code: 0 })
  })

  it('leaves what was pushed lately, what is outside the prefixes, and repositories that others made', async () => {
    expect(resultOf(await run('prune', '--keep', at('new.tar'), '--json'))).toMatchObject({
      young: 9,
      repositories: [],
    })
    const other = older['a/gone:1']
    for (const name of ['elsewhere/x', place('a/theirs')]) ecr.createRepository(name)
    const auth = { authorization: `Basic ${ecr.token()}` }
    await pushImage(`http://${ecr.registry}`, 'elsewhere/x', '1', other, auth)
    await pushImage(`http://${ecr.registry}`, place('a/theirs'), '1', image(70), auth)
    expect(await prune('--yes')).toMatchObject({ code: 0 })
    expect(ecr.repository('elsewhere/x')?.images.size).toBe(3)
    expect(ecr.repository(place('a/theirs'))?.images.size).toBe(0)
  })

  it('takes signatures with their image, and keeps those of kept images', async () => {
    const auth = { authorization: `Basic ${ecr.token()}` }
    const sign = (of: BuiltImage, repository: string): Promise<string> =>
      putReferrer(ecr, repository, of, auth)
    const keptSignature = await sign(newer['a/both:1'], place('a/both'))
    const gone = await sign(older['a/moved:1'], place('a/moved'))
    expect(await prune('--yes')).toMatchObject({ code: 0 })
    expect(ecr.repository(place('a/both'))?.images.has(keptSignature as never)).toBe(true)
    expect(ecr.repository(place('a/moved'))?.images.has(gone as never)).toBe(false)
  })

  it.each([1, 2, 3, 4])(
    'leaves every kept image whole when it is killed at deletion %i, and a rerun finishes',
    async (many) => {
      const child = startCli(['prune', '--keep', at('new.tar'), '--grace', '0', '--yes', ...flags()], {
        cwd: folder,
        env: ecr.environment,
      })
      const deletions = (): number =>
        ecr.log.entries.filter(({ actions }) => actions.includes('BatchDeleteImage')).length
      while (deletions() < many && child.exitCode === null)
        await new Promise((resolve) => setTimeout(resolve, 1))
      child.kill('SIGKILL')
      await child.exited
      expect(await run('verify', at('new.tar'))).toMatchObject({ code: 0 })
      expect(await prune('--yes')).toMatchObject({ code: 0 })
      expect((await prune()).stdout).toContain('Nothing to delete')
      expect(await run('verify', at('new.tar'))).toMatchObject({ code: 0 })
    },
  )

  it('is refused without the right to delete, and the right is named', async () => {
    const denied = await startEcr({ tls: false, quotas: 'none', denied: ['BatchDeleteImage'] })
    const into = ['--registry', denied.registry, '--endpoint-url', denied.endpoint, '--region', denied.region]
    const env = { env: { ...denied.environment, XDG_STATE_HOME: folder } }
    await runShell(['import', at('old.tar'), ...into, '--values', at('values.yaml')], env)
    const { code, stderr } = await runShell(
      ['prune', '--keep', at('new.tar'), '--grace', '0', '--yes', ...into],
      env,
    )
    expect(code).toBe(3)
    expect(stderr).toContain('ecr:BatchDeleteImage')
    await denied.stop()
  })
})

describe('prune of another registry', () => {
  it('deletes what only the old bundle brought, and finds nothing the second time', async () => {
    const into = ['--registry', registry.host]
    for (const file of ['old.tar', 'new.tar'])
      expect(await runShell(['import', at(file), ...into, '--values', at('values.yaml')])).toMatchObject({
        code: 0,
      })
    const args = ['prune', '--keep', at('new.tar'), ...into]
    const listed = resultOf(await runShell([...args, '--json']))
    // What lost its tag to another image cannot be seen in a registry that lists tags only.
    expect(digestsIn(listed)).toEqual(digestsOf(older['a/gone:1'], older['a/used:1']))
    expect(await runShell([...args, '--yes'])).toMatchObject({ code: 0 })
    expect((await runShell(args)).stdout).toContain('Nothing to delete')
    expect(await runShell(['verify', at('new.tar'), ...into])).toMatchObject({ code: 0 })
    const asked = await fetch(
      `http://${registry.host}/v2/${place('a/gone')}/manifests/${older['a/gone:1'].digest}`,
    )
    expect(asked.status).toBe(404)
  })

  it('looks where a registry that lists no repositories is said to have some', async () => {
    const images = {
      [`${place('a/both')}:1`]: newer['a/both:1'],
      [`${place('a/gone')}:1`]: older['a/gone:1'],
    }
    const silent = await startSource({
      images,
      intercept: (request, response) => {
        const name = /^\/v2\/(.*)\/tags\/list/.exec(request.url ?? '')?.[1]
        if (name === undefined || !(`${name}:1` in images)) return false
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ name, tags: ['1'] }))
        return true
      },
    })
    const args = ['prune', '--keep', at('new.tar'), '--registry', silent.host]
    const alone = await runShell(args)
    expect(alone).toMatchObject({ code: 0 })
    expect(alone.stdout).toContain('Nothing to delete')
    expect(alone.stderr).toContain('--also <bundle>')
    const both = await runShell([...args, '--also', at('old.tar')])
    expect(both).toMatchObject({ code: 0 })
    expect(both.stdout).toContain(`${place('a/gone')}:1`)
    await silent.stop()
  })

  it('needs a prefix', async () => {
    const { code, stderr } = await runShell([
      'prune',
      '--keep',
      at('new.tar'),
      '--registry',
      registry.host,
      '--prefix',
      '',
    ])
    expect(code).toBe(2)
    expect(stderr).toContain('--prefix')
  })
})

async function putReferrer(
  { registry: host }: Ecr,
  repository: string,
  subject: BuiltImage,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const signature = buildImage(
    [layerOf({ signature: noise(100, Number.parseInt(subject.digest.slice(7, 11), 16)) })],
    {
      platform: 'linux/amd64',
    },
  )
  const manifest = {
    ...(JSON.parse(new TextDecoder().decode(signature.raw)) as object),
    artifactType: 'application/vnd.example.signature',
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.raw.length },
  }
  const raw = new TextEncoder().encode(JSON.stringify(manifest))
  await pushImage(
    `http://${host}`,
    repository,
    undefined,
    { ...signature, raw, digest: digestOf(raw), mediaType: OCI_MANIFEST },
    headers,
  )
  return digestOf(raw)
}
