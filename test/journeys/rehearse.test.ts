import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { HANDED_OUT, startCloud } from '../support/aws-cloud.ts'
import { startContainerd } from '../support/containerd.ts'
import { startDockerRegistry } from '../support/docker-registry.ts'
import { startEcr, type ApiAction, type Ecr } from '../support/ecr/server.ts'
import { formatReference } from '../../src/oci/reference.ts'
import { bundledSpecs } from '../../src/bundle/spec/bundled.ts'
import { imagesOf, nameOf, parseSpec } from '../../src/bundle/spec/spec.ts'
import { writeManyImages } from '../support/many-images.ts'
import { actionsBeyond } from '../support/ecr-client.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let ecr: Ecr

const shared = layerOf({ base: noise(20_000, 1) })
const image = (seed: number, platform = 'linux/amd64'): BuiltImage =>
  buildImage([shared, layerOf({ own: noise(2_000, seed) })], { platform })
const images = {
  'a/two:1': buildIndex([image(10), image(11, 'linux/arm64')]),
  'a/also:2': buildIndex([image(20), image(21, 'linux/arm64')]),
  'a/lone:3': image(30),
}
const NODE = {
  accessKeyId: 'AKIANODE000000000000',
  secretAccessKey: 'node-secret',
  arn: 'arn:aws:iam::123456789012:role/node',
}

const ADMIN = {
  accessKeyId: 'AKIAADMIN00000000000',
  secretAccessKey: 'admin-secret',
  arn: 'arn:aws:iam::123456789012:user/admin',
}

const at = (name: string): string => join(folder, name)
const place = (name: string): string => `mirrored/${source.host.replace(':', '-')}/${name}`

async function start(...denied: readonly ApiAction[]): Promise<void> {
  ecr = await startEcr({ tls: false, quotas: 'none', accessKeys: [ADMIN, { ...NODE, denied }] })
  const outcome = await run(['import', at('bundle.tar'), '--values', at('values.yaml')], ADMIN)
  expect(outcome.code).toBe(0)
}

function run(
  args: readonly string[],
  key: { readonly accessKeyId: string; readonly secretAccessKey: string } = NODE,
): Promise<Outcome> {
  const into = ['--registry', ecr.registry, '--endpoint-url', ecr.endpoint, '--region', ecr.region]
  const env = {
    ...ecr.environment,
    AWS_ACCESS_KEY_ID: key.accessKeyId,
    AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    XDG_STATE_HOME: folder,
  }
  return runShell([...args, ...into], { env })
}
const rehearse = (...more: readonly string[]): Promise<Outcome> =>
  run(['rehearse', at('bundle.tar'), ...more])

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rehearse-'))
  source = await startSource({ images })
  writeFileSync(
    at('spec.yaml'),
    `images:\n${Object.keys(images)
      .map((name) => `  - ${source.host}/${name}\n`)
      .join('')}`,
  )
  expect(await runShell(['export', at('bundle.tar'), '--spec', at('spec.yaml'), '--quiet'])).toMatchObject({
    code: 0,
  })
})
afterAll(async () => {
  await source.stop()
  rmSync(folder, { recursive: true })
})
afterEach(() => ecr?.stop())

describe('rehearse', () => {
  it('pulls every image for every platform it has, as a node does, and says so in one line', async () => {
    await start()
    const before = ecr.log.entries.length
    const { code, stdout } = await rehearse()
    expect(code).toBe(0)
    expect(stdout.trim()).toMatch(/^3 references, 2 platforms, 0 would fail \(\d+ requests\)$/)
    const asked = ecr.log.entries.slice(before)
    expect(actionsBeyond(ecr, 'rehearse', before)).toEqual([])
    expect(actionsBeyond(ecr, 'node', before)).toEqual([])
    expect(asked.filter(({ method }) => method !== 'GET' && method !== 'HEAD' && method !== 'POST')).toEqual(
      [],
    )
    expect(
      asked.filter(({ actions }) => actions.includes('PutImage') || actions.includes('InitiateLayerUpload')),
    ).toEqual([])
  })

  it('says which images have nothing for a platform of the nodes, also when no index does', async () => {
    await start()
    const { code, stdout } = await rehearse('--platform', 'linux/arm64')
    expect(code).toBe(1)
    expect(stdout).toContain(
      `${ecr.registry}/${place('a/lone')}:3 (linux/arm64): it is an image for linux/amd64`,
    )
    expect(stdout).toContain('3 references, 1 platform, 1 would fail')
    expect(stdout).toContain('next: ')
  })

  it.each([
    ['BatchGetImage', 'ecr:BatchGetImage'],
    ['GetDownloadUrlForLayer', 'ecr:GetDownloadUrlForLayer'],
  ] as const)('names the right a node lacks: %s', async (denied, named) => {
    await start(denied)
    const { code, stdout } = await rehearse()
    expect(code).toBe(3)
    expect(stdout).toContain('3 would fail')
    expect(stdout).toContain(`allow ${named} on these repositories`)
    // One cause, once.
    expect(stdout.split('next: ')).toHaveLength(2)
  })

  it('ends as a missing permission does when a node cannot log in at all', async () => {
    await start('GetAuthorizationToken')
    const { code, stdout } = await rehearse()
    expect(code).toBe(3)
    expect(stdout.split('next: ')).toHaveLength(2)
    expect(stdout).toContain('ecr:GetAuthorizationToken')
  })

  it('pulls what rendered objects name, and names what still points elsewhere', async () => {
    await start()
    const containers = [`${ecr.registry}/${place('a/two')}:1`, 'quay.io/team/tool:3'].map((name, nr) => ({
      name: `c${nr}`,
      image: name,
    }))
    const manifest = JSON.stringify({ kind: 'Deployment', spec: { template: { spec: { containers } } } })
    writeFileSync(at('objects.yaml'), manifest)
    const { code, stdout } = await run(['rehearse', '--objects', at('objects.yaml')])
    expect(code).toBe(1)
    expect(stdout).toContain(
      `quay.io/team/tool:3 (any platform): it points to quay.io, not to ${ecr.registry}`,
    )
    expect(stdout).toContain('2 references, 2 platforms, 1 would fail')
    mkdirSync(at('rendered/templates'), { recursive: true })
    writeFileSync(at('rendered/a.json'), manifest)
    writeFileSync(at('rendered/notes.txt'), 'no objects')
    const also = `kind: Pod\nspec: { containers: [{ name: x, image: '${ecr.registry}/${place('a/lone')}:3' }] }\n`
    writeFileSync(at('rendered/templates/b.yaml'), also)
    const folderOf = await run(['rehearse', '--objects', at('rendered')])
    expect(folderOf.stdout).toContain('3 references, 2 platforms, 1 would fail')
  })

  it('finds a tag, a layer and a child that are gone', async () => {
    await start()
    const repository = ecr.repository(place('a/two'))
    repository?.imageTags.delete('1')
    const layer = [...images['a/lone:3'].blobs.keys()].at(-1)
    ecr.repository(place('a/lone'))?.blobs.delete(layer as never)
    ecr.repository(place('a/also'))?.images.delete(images['a/also:2'].children[1]?.digest as never)
    const { code, stdout } = await rehearse()
    expect(code).toBe(1)
    expect(stdout).toContain(`${place('a/two')}:1`)
    expect(stdout).toContain(`a layer is missing in the registry`)
    expect(stdout).toContain(`${place('a/also')}:2 (linux/arm64)`)
    expect(stdout).not.toContain(`${place('a/also')}:2 (linux/amd64)`)
    expect(stdout).toContain('3 would fail')
  })
})

describe('rehearse of the whole default list', () => {
  const names = imagesOf(parseSpec(bundledSpecs[0]?.text ?? '', '3.3.6').groups).map((one) =>
    formatReference(nameOf(one)),
  )

  it('pulls every image by its real name, and finds one right at a time that the nodes lack', async () => {
    expect(names.length).toBeGreaterThan(58)
    writeManyImages(at('default.tar'), names.length, 3, (image) => names[image] ?? '')
    const whole = ['rehearse', at('default.tar'), '--platform', 'linux/amd64']
    for (const [denied, named] of [
      [undefined, `${names.length} references, 1 platform, 0 would fail`],
      ['BatchGetImage', 'allow ecr:BatchGetImage'],
      ['GetDownloadUrlForLayer', 'allow ecr:GetDownloadUrlForLayer'],
      ['GetAuthorizationToken', 'ecr:GetAuthorizationToken'],
    ] as const) {
      ecr = await startEcr({
        tls: false,
        quotas: 'none',
        accessKeys: [ADMIN, { ...NODE, denied: denied === undefined ? [] : [denied] }],
      })
      expect(await run(['import', at('default.tar'), '--values', at('values.yaml')], ADMIN)).toMatchObject({
        code: 0,
      })
      const { code, stdout } = await run(whole)
      expect(stdout).toContain(named)
      expect(code).toBe(denied === undefined ? 0 : 3)
      if (denied !== undefined) expect(stdout).toContain(`${names.length} would fail`)
      await ecr.stop()
    }
  }, 120_000)
})

describe('import --rehearse', () => {
  it('ends with the verdict of the pulls', async () => {
    const registry = await startDockerRegistry()
    const into = ['--registry', registry.host, '--values', at('values.yaml'), '--rehearse']
    const { code, stdout } = await runShell(['import', at('bundle.tar'), ...into])
    expect(stdout).toContain('3 references, 2 platforms, 0 would fail')
    expect(code).toBe(0)
    const lone = `http://${registry.host}/v2/${place('a/lone')}/blobs/`
    for (const digest of images['a/lone:3'].blobs.keys()) await fetch(lone + digest, { method: 'DELETE' })
    const broken = await runShell(['import', at('bundle.tar'), ...into])
    expect(broken.stdout).toContain('1 would fail')
    expect(broken.stdout).toContain('--repair')
    expect(broken.code).toBe(1)
    await registry.stop()
  })
})

describe('rehearse as a node', () => {
  const user = { username: 'node', password: 'n0de-secret' }
  const auth = Buffer.from(`${user.username}:${user.password}`).toString('base64')

  it('takes a pull secret, as docker writes it or as kubectl prints it, and never shows what is in it', async () => {
    const registry = await startDockerRegistry({ user })
    const into = ['--registry', registry.host]
    const login = ['--username', user.username, '--password-stdin']
    const filled = await runShell(
      ['import', at('bundle.tar'), ...into, '--values', at('values.yaml'), ...login],
      {
        stdin: user.password,
      },
    )
    expect(filled).toMatchObject({ code: 0 })
    const config = JSON.stringify({ auths: { [`https://${registry.host}/v2/`]: { auth } } })
    writeFileSync(at('config.json'), config)
    const data = { '.dockerconfigjson': Buffer.from(config).toString('base64') }
    writeFileSync(at('secret.json'), JSON.stringify({ kind: 'Secret', data }))
    const asNode = (file: string): Promise<Outcome> =>
      runShell(['rehearse', at('bundle.tar'), ...into, '--as-node', at(file), '--verbose'])
    for (const file of ['config.json', 'secret.json']) {
      const { code, stdout, stderr } = await asNode(file)
      expect(code).toBe(0)
      expect(stdout).toContain('0 would fail')
      expect(stdout + stderr).not.toContain(user.password)
    }
    expect(await runShell(['rehearse', at('bundle.tar'), ...into])).toMatchObject({ code: 3 })
    writeFileSync(
      at('wrong.json'),
      JSON.stringify({ auths: { [registry.host]: { auth: btoa('node:wrong') } } }),
    )
    expect(await asNode('wrong.json')).toMatchObject({ code: 3 })
    writeFileSync(at('empty.json'), '{}')
    const empty = await asNode('empty.json')
    expect(empty.code).toBe(2)
    expect(empty.stderr).toContain('kubectl get secret')
    await registry.stop()
  })
})

describe('rehearse as a role', () => {
  it('logs in to ECR as the role of the nodes, with the credentials that are found', async () => {
    const host = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
    const cloud = await startCloud([
      '*.eu-central-1.amazonaws.com',
      '*.dkr.ecr.eu-central-1.amazonaws.com',
      '*.ecr.eu-central-1.amazonaws.com',
    ])
    const role = 'arn:aws:iam::123456789012:role/node'
    const env = {
      HTTPS_PROXY: cloud.proxy,
      AWS_ACCESS_KEY_ID: 'AKIAOPERATOR00000000',
      AWS_SECRET_ACCESS_KEY: 'operator-secret',
      AWS_REGION: 'eu-central-1',
    }
    await runShell(
      ['rehearse', at('bundle.tar'), '--registry', host, '--as-node', role, '--ca-file', cloud.caFile],
      { env },
    )
    expect(cloud.calls.map(({ action, key }) => [action, key]).slice(0, 2)).toEqual([
      ['AssumeRole', 'AKIAOPERATOR00000000'],
      ['GetAuthorizationToken', HANDED_OUT['AssumeRole']],
    ])
    await cloud.stop()
    const wrong = await runShell([
      'rehearse',
      at('bundle.tar'),
      '--registry',
      host,
      '--as-node',
      'arn:aws:iam::1:user/x',
    ])
    expect(wrong.code).toBe(2)
  })
})

describe('rehearse with containerd', () => {
  it('pulls for real, in a namespace of its own, and removes everything again', async () => {
    const containerd = await startContainerd()
    const registry = await startDockerRegistry()
    const into = ['--registry', registry.host]
    const env = { CONTAINERD_ADDRESS: containerd.socket, CONTAINERD_SNAPSHOTTER: 'native' }
    await runShell(['import', at('bundle.tar'), ...into, '--values', at('values.yaml')])
    const args = ['rehearse', at('bundle.tar'), ...into, '--with-containerd', '--platform', 'linux/amd64']
    const good = await runShell(args, { env })
    expect(good).toMatchObject({ code: 0 })
    expect(good.stdout).toContain('3 references, 1 platform, 0 would fail')
    const { stdout } = await runProgram('/usr/bin/ctr', [
      '--address',
      containerd.socket,
      'namespaces',
      'list',
      '--quiet',
    ])
    const left = stdout.toString().split('\n').includes('ma-bundle-rehearsal')
    const images = await runProgram('/usr/bin/ctr', [
      '--address',
      containerd.socket,
      '--namespace',
      'ma-bundle-rehearsal',
      'images',
      'list',
      '--quiet',
    ])
    expect([left && images.stdout.toString() !== '', images.stdout.toString()]).toEqual([false, ''])
    await containerd.stop()
    const none = await runShell(args, { env })
    expect(none.code).toBe(2)
    expect(none.stderr).toContain('CONTAINERD_ADDRESS')
    await registry.stop()
  })
})

describe('rehearse at another registry', () => {
  it('pulls from it as well', async () => {
    const registry = await startDockerRegistry()
    const into = ['--registry', registry.host]
    await runShell(['import', at('bundle.tar'), ...into, '--values', at('values.yaml')])
    const good = await runShell(['rehearse', at('bundle.tar'), ...into])
    expect(good).toMatchObject({ code: 0 })
    expect(good.stdout).toContain('0 would fail')
    await registry.stop()
    const dead = await runShell(['rehearse', at('bundle.tar'), ...into])
    expect(dead.code).toBe(4)
  })
})
