import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { buildImage, buildIndex, layerOf, noise, pushImage, type BuiltImage } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let registry: DockerRegistry

const image = (seed: number, platform = 'linux/amd64'): BuiltImage =>
  buildImage([layerOf({ own: noise(2_000, seed) })], { platform })
const images = {
  'a/good:1': buildIndex([image(1), image(2, 'linux/arm64')]),
  'a/lost:1': image(3),
  'a/moved:1': image(4),
  'a/amd:1': buildIndex([image(5)]),
}

const at = (name: string): string => join(folder, name)
const mine = (name: string): string => `${registry.host}/mirrored/${source.host.replace(':', '-')}/${name}`

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'check-'))
  source = await startSource({ images })
  registry = await startDockerRegistry()
  writeFileSync(
    at('spec.yaml'),
    `images:\n${Object.keys(images)
      .map((name) => `  - ${source.host}/${name}\n`)
      .join('')}`,
  )
  const made = await runShell([
    'export',
    at('bundle.tar'),
    '--spec',
    at('spec.yaml'),
    '--allow-missing-platform',
    '--quiet',
  ])
  expect(made).toMatchObject({ code: 0 })
  const into = ['--registry', registry.host, '--values', at('values.yaml')]
  expect(await runShell(['import', at('bundle.tar'), ...into])).toMatchObject({ code: 0 })
  const place = `mirrored/${source.host.replace(':', '-')}`
  await pushImage(`http://${registry.host}`, `${place}/a/moved`, '1', image(40))
  const lost = await fetch(
    `http://${registry.host}/v2/${place}/a/lost/manifests/${images['a/lost:1'].digest}`,
    { method: 'DELETE' },
  )
  expect(lost.status).toBe(202)
})
afterAll(async () => {
  await Promise.all([source.stop(), registry.stop()])
  rmSync(folder, { recursive: true })
})

interface Container {
  readonly image: string
  readonly waiting?: { readonly reason: string; readonly message?: string }
  readonly running?: string
}

/** A pod of a Deployment, as kubectl prints it. */
const pod = (name: string, container: Container, namespace = 'ma') => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: `${name}-7d4b9c6f5d-abcde`,
    namespace,
    ownerReferences: [{ kind: 'ReplicaSet', name: `${name}-7d4b9c6f5d`, controller: true }],
  },
  spec: { containers: [{ name: 'main', image: container.image }] },
  status: {
    phase: container.running === undefined ? 'Pending' : 'Running',
    containerStatuses: [
      {
        name: 'main',
        state: container.waiting === undefined ? { running: {} } : { waiting: container.waiting },
        ...(container.running === undefined ? {} : { imageID: container.running }),
      },
    ],
  },
})
const node = (architecture: string) => ({
  kind: 'Node',
  metadata: { name: architecture },
  status: {
    nodeInfo: { operatingSystem: 'linux', architecture },
    images: [{ names: ['quay.io/never/judged:1'] }],
  },
})

async function check(items: readonly object[], ...flags: readonly string[]): Promise<Outcome> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
  return runShell(['check', '-', '--registry', registry.host, '--bundle', at('bundle.tar'), ...flags], {
    stdin: list,
  })
}

const RUNS = `docker-pullable://x@${images['a/good:1'].digest}`

describe('check', () => {
  it('gives the sentence that an acceptance asks for when all checks passed', async () => {
    const { code, stdout } = await check([
      node('amd64'),
      node('arm64'),
      pod('web', { image: mine('a/good:1'), running: RUNS }),
    ])
    expect(stdout).toBe('1 of 1 pod running, 0 ImagePullBackOff; 1 image, 0 will not start\n')
    expect(code).toBe(0)
  })

  it.each([
    ['a/lost:1', undefined, 'the bundle has it, the registry does not', 'ma-bundle import <bundle>'],
    ['a/moved:1', undefined, `the bundle ${images['a/moved:1'].digest}`, 'import the bundle'],
    ['a/amd:1', undefined, 'it has nothing for linux/arm64', '--platform linux/arm64'],
    ['a/never:1', undefined, 'it is not in the registry, nor in the bundle', '--write-spec'],
    [
      'a/good:1',
      '403 Forbidden: denied: User: arn:x is not authorized to perform: ecr:BatchGetImage',
      'the node may not read this repository',
      'iam-policy --for node',
    ],
    ['a/good:1', 'dial tcp 10.0.0.1:443: i/o timeout', 'the node cannot reach the registry', 'ecr.dkr'],
  ])('says why %s will not start (%s)', async (name, message, cause, next) => {
    const waiting = {
      reason: 'ImagePullBackOff',
      message: `Back-off pulling image "x": ErrImagePull: ${message ?? 'not found'}`,
    }
    const { code, stdout } = await check([
      node('amd64'),
      node('arm64'),
      pod('web', { image: mine(name), waiting }),
    ])
    expect(code).toBe(1)
    expect(stdout).toContain('namespace ma')
    expect(stdout).toContain(`${mine(name)}  (Deployment web)`)
    expect(stdout).toContain(cause)
    expect(stdout).toContain(next)
    expect(stdout).toContain('0 of 1 pod running, 1 ImagePullBackOff; 1 image, 1 will not start')
  })

  it('tells what is still public, and how it becomes private', async () => {
    const { code, stdout } = await check([
      pod('bundled', { image: `${source.host}/a/good:1`, running: RUNS }),
      pod('unknown', {
        image: 'quay.io/team/tool:3',
        waiting: { reason: 'ErrImagePull', message: 'lookup quay.io: no such host' },
      }),
    ])
    expect(code).toBe(1)
    expect(stdout).toContain('but a new node could not pull it')
    expect(stdout).toContain('post-render')
    expect(stdout).toContain('it points to quay.io, not to')
    expect(stdout).toContain(
      '1 of 2 pods running, 1 ImagePullBackOff; 2 images, 1 will not start, 1 still public',
    )
  })

  it('looks into templates and custom resources, and not at what is only history or policy', async () => {
    const containers = [{ name: 'main', image: 'quay.io/a/b:1' }]
    const { json } = await check(
      [
        {
          kind: 'CronJob',
          metadata: { name: 'nightly', namespace: 'ma' },
          spec: { jobTemplate: { spec: { template: { spec: { containers } } } } },
        },
        {
          kind: 'Workflow',
          metadata: { name: 'flow', namespace: 'ma' },
          spec: { templates: [{ containers: [{ name: 'x', image: 'quay.io/a/c:1' }] }] },
        },
        {
          kind: 'Deployment',
          metadata: { name: 'web', namespace: 'ma' },
          spec: {
            template: {
              spec: {
                containers: [{ name: 'x', image: mine('a/good:1') }],
                volumes: [{ name: 'model', image: { reference: 'quay.io/a/d:1' } }],
              },
            },
          },
        },
        {
          kind: 'ReplicaSet',
          metadata: { name: 'old', namespace: 'ma' },
          spec: { replicas: 0, template: { spec: { containers: [{ name: 'x', image: 'quay.io/old:1' }] } } },
        },
        {
          kind: 'Event',
          metadata: { name: 'e', namespace: 'ma' },
          message: 'Failed to pull image "quay.io/event:1"',
        },
      ],
      '--json',
    )
    const result = json.find(({ type }) => type === 'result')?.['result'] as {
      readonly images: readonly { readonly image: string; readonly objects: readonly string[] }[]
    }
    expect(result.images.map(({ image: name, objects }) => [name, ...objects])).toEqual([
      [mine('a/good:1'), 'Deployment web'],
      ['quay.io/a/b:1', 'CronJob nightly'],
      ['quay.io/a/c:1', 'Workflow flow'],
      ['quay.io/a/d:1', 'Deployment web'],
    ])
  })

  it('takes the cause from events where an older kubelet keeps it there, and AWS add-ons for well', async () => {
    const failing = pod('web', {
      image: mine('a/good:1'),
      waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image' },
    })
    const event = {
      kind: 'Event',
      involvedObject: { kind: 'Pod', namespace: 'ma', name: failing.metadata.name },
      message: 'Failed to pull image "x": rpc error: x509: certificate signed by unknown authority',
    }
    const addOn = pod(
      'coredns',
      { image: '602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/coredns:v1', running: RUNS },
      'kube-system',
    )
    const { stdout } = await check([failing, event, addOn])
    expect(stdout).toContain('does not trust the certificate')
    expect(stdout).not.toContain('kube-system')
  })

  it('writes what is missing as a list that the other side exports as it is, without what is there', async () => {
    const public2 = { 'team/new:1': image(77) }
    const other = await startSource({ images: public2 })
    const { code } = await check(
      [
        pod('web', { image: mine('a/good:1'), running: RUNS }),
        pod('new', { image: `${other.host}/team/new:1`, waiting: { reason: 'ErrImagePull' } }),
      ],
      '--write-spec',
      at('missing.yaml'),
    )
    expect(code).toBe(1)
    expect(readFileSync(at('missing.yaml'), 'utf8')).toContain(`"${other.host}/team/new:1"`)
    const flags = ['--spec', at('missing.yaml'), '--since', at('missing.yaml')]
    const exported = await runShell(['export', at('missing.tar'), ...flags])
    expect(exported).toMatchObject({ code: 0 })
    expect(exported.stdout).toContain(`${other.host}/team/new:1`)
    await other.stop()
  })

  it('uses a kubectl on the PATH, to read only, and says what to do without one', async () => {
    mkdirSync(at('bin'), { recursive: true })
    const objects = JSON.stringify({
      kind: 'List',
      items: [pod('web', { image: mine('a/good:1'), running: RUNS })],
    })
    writeFileSync(at('objects.json'), objects)
    writeFileSync(at('bin/kubectl'), `#!/bin/sh\necho "$@" > ${at('asked')}\ncat ${at('objects.json')}\n`)
    chmodSync(at('bin/kubectl'), 0o755)
    const args = ['check', '--registry', registry.host]
    const found = await runShell(args, { env: { PATH: `${at('bin')}:/usr/bin:/bin` } })
    expect(found).toMatchObject({ code: 0 })
    expect(readFileSync(at('asked'), 'utf8')).toMatch(/^get pods,/)
    // A rollout: the first look finds it pending, the second running.
    const pending = pod('web', { image: mine('a/good:1'), waiting: { reason: 'ContainerCreating' } })
    writeFileSync(at('pending.json'), JSON.stringify({ kind: 'List', items: [pending] }))
    const first = `cat ${at('pending.json')}; touch ${at('seen')}`
    writeFileSync(
      at('bin/kubectl'),
      `#!/bin/sh\nif [ -e ${at('seen')} ]; then cat ${at('objects.json')}; else ${first}; fi\n`,
    )
    const watched = await runShell([...args, '--watch'], { env: { PATH: `${at('bin')}:/usr/bin:/bin` } })
    expect(watched).toMatchObject({ code: 0 })
    expect(watched.stderr).toContain('0 of 1 pod running')
    expect(watched.stdout).toContain('1 of 1 pod running')
    const none = await runShell(args, { env: { PATH: at('nowhere') } })
    expect(none.code).toBe(2)
    expect(none.stderr).toContain('ma-bundle check -')
  })

  it.each([
    ['', 'the text is empty'],
    ['{"kind": "List", "items": [', 'cut off'],
    ['hello', 'nothing in it has a kind'],
  ])('refuses %j', async (stdin, why) => {
    const { code, stderr } = await runShell(['check', '-', '--registry', registry.host], { stdin })
    expect(code).toBe(2)
    expect(stderr).toContain(why)
  })
})
