import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { startEcr } from '../support/ecr/server.ts'
import { helmBinary } from '../support/helm.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let target: DockerRegistry

const shared = layerOf({ base: noise(200_000, 1) })
const image = (seed: number, platform: string): BuiltImage =>
  buildImage([shared, layerOf({ own: noise(90_000, seed) })], { platform })
const images = {
  'team/one:1': buildIndex([image(2, 'linux/amd64'), image(3, 'linux/arm64')]),
  'team/two:2': image(4, 'linux/amd64'),
}
const metadata = { apiVersion: 'v2', name: 'web', version: '1.2.3' }
const tgz = layerOf({
  'web/Chart.yaml': JSON.stringify(metadata),
  'web/values.yaml': 'image: { registry: SOURCE, repository: team/two, tag: "2" }\n',
  'web/templates/pod.yaml':
    'apiVersion: v1\nkind: Pod\nmetadata: { name: web }\nspec:\n  containers:\n    - name: web\n      image: "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"\n',
})
let damage: 'none' | 'always' = 'none'

const at = (name: string): string => join(folder, name)
const place = (name: string): string => `mirrored/${source.host.replace(':', '-')}/${name}`

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mirror-'))
  damage = 'none'
  source = await startSource({
    images,
    charts: [{ name: 'web', version: '1.2.3', metadata, tgz }],
    intercept(request, response) {
      const digest = [...images['team/two:2'].blobs.keys()].at(-1) ?? ''
      const content = images['team/two:2'].blobs.get(digest as `sha256:${string}`)
      if (damage === 'none' || content === undefined || request.url?.includes(digest) !== true) return false
      const wrong = new Uint8Array(content)
      wrong[1000] = (wrong[1000] ?? 0) ^ 1
      response
        .writeHead(200, { 'content-length': wrong.length })
        .end(request.method === 'HEAD' ? undefined : wrong)
      return true
    },
  })
  target = await startDockerRegistry()
  writeFileSync(
    at('spec.yaml'),
    `apiVersion: ma-bundle/v1
kind: BundleSpec
name: mirrored
version: 1.0.0
groups:
  - name: all
    images: [${source.host}/team/one:1, ${source.host}/team/two:2]
    charts: [{ name: web, version: 1.2.3, repository: 'http://${source.host}/charts' }]
`,
  )
})
afterEach(async () => {
  await Promise.all([source.stop(), target.stop()])
  rmSync(folder, { recursive: true })
})

const mirror = (...flags: readonly string[]): Promise<Outcome> =>
  runShell([
    'mirror',
    '--registry',
    target.host,
    '--spec',
    at('spec.yaml'),
    '--values',
    at('mirrored.yaml'),
    '--no-prove',
    ...flags,
  ])
const resultOf = ({ json }: Outcome) =>
  json.find(({ type }) => type === 'result')?.['result'] as Record<string, unknown>

describe('mirror', () => {
  it('puts everything where an import would, with the same override, and no file between', async () => {
    const outcome = await mirror('--json')
    expect(outcome).toMatchObject({ code: 0, stderr: '' })
    expect(resultOf(outcome)['roots']).toEqual([
      expect.objectContaining({ repository: place('team/one'), tags: ['1'], outcome: 'pushed' }),
      expect.objectContaining({ repository: place('team/two'), tags: ['2'], outcome: 'pushed' }),
      expect.objectContaining({ repository: 'charts/web', tags: ['1.2.3'], outcome: 'pushed' }),
    ])
    expect(readdirSync(folder).toSorted()).toEqual(['mirrored.d', 'mirrored.yaml', 'spec.yaml'])
    await runShell(['export', at('b.tar'), '--spec', at('spec.yaml'), '--no-prove'])
    const imported = await runShell([
      'import',
      at('b.tar'),
      '--registry',
      target.host,
      '--values',
      at('imported.yaml'),
      '--json',
    ])
    expect(resultOf(imported)['roots']).toEqual([
      expect.objectContaining({ outcome: 'unchanged' }),
      expect.objectContaining({ outcome: 'unchanged' }),
      expect.objectContaining({ outcome: 'unchanged' }),
    ])
    expect(readFileSync(at('mirrored.yaml'), 'utf8')).toBe(readFileSync(at('imported.yaml'), 'utf8'))
    const verified = await runShell(['verify', at('b.tar'), '--registry', target.host])
    expect(verified.stdout).toContain('3 of 3 are in')
    const from = `docker://${target.host}/${place('team/one')}:1`
    await runProgram('skopeo', ['copy', '--all', '--src-tls-verify=false', from, `dir:${at('copy')}`])
    const helm = await helmBinary(4)
    const url = `oci://${target.host}/charts/web`
    const rendered = await runProgram(helm, ['template', url, '--version', '1.2.3', '--plain-http'], {
      env: { PATH: '', HOME: folder },
    })
    expect(rendered.stdout.toString()).toContain('team/two:2')
  })

  it('writes the same override as both phases, byte for byte, whatever flags they have', async () => {
    const [, port] = source.host.split(':')
    const bound = layerOf({
      'web/Chart.yaml': JSON.stringify(metadata),
      'web/values.yaml': `image: { registry: "127.0.0.1:${port}", repository: team/two, tag: "2" }\n`,
      'web/templates/pod.yaml':
        'apiVersion: v1\nkind: Pod\nmetadata: { name: web }\nspec:\n  containers:\n    - name: web\n      image: "{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}"\n',
    })
    const charts = await startSource({
      images: {},
      charts: [{ name: 'web', version: '1.2.3', metadata, tgz: bound }],
    })
    try {
      writeFileSync(
        at('spec.yaml'),
        readFileSync(at('spec.yaml'), 'utf8').replace(`${source.host}/charts`, `${charts.host}/charts`),
      )
      writeFileSync(at('web.yaml'), 'other: 1\n')
      const both = [
        '--prefix',
        'own/images',
        '--chart-prefix',
        'own/charts',
        '--pin-digests',
        '--registry',
        `${target.host}/team`,
      ]
      const exporting = [
        '--spec',
        at('spec.yaml'),
        '--helm',
        await helmBinary(4),
        '--platform',
        'linux/amd64',
      ]
      const exported = await runShell([
        'export',
        at('b.tar'),
        ...exporting,
        '--values',
        `web=${at('web.yaml')}`,
      ])
      expect(exported).toMatchObject({ code: 0 })
      const { code } = await runShell(['import', at('b.tar'), ...both, '--values', at('imported.yaml')])
      expect(code).toBe(0)
      const mirrored = await runShell([
        'mirror',
        ...both,
        ...exporting,
        '--chart-values',
        `web=${at('web.yaml')}`,
        '--values',
        at('mirrored.yaml'),
        '--json',
      ])
      expect(mirrored).toMatchObject({ code: 0 })
      expect(resultOf(mirrored)['proof']).toMatchObject([{ chart: 'web', boundCount: 1, open: [] }])
      for (const file of ['.yaml', '.d/web.yaml']) {
        const written = readFileSync(at(`mirrored${file}`), 'utf8')
        expect(written).toBe(readFileSync(at(`imported${file}`), 'utf8'))
        expect(written).toContain('own/images')
      }
    } finally {
      await charts.stop()
    }
  })

  it('reads from an older bundle what that has, instead of fetching it', async () => {
    await runShell(['export', at('b.tar'), '--spec', at('spec.yaml'), '--no-prove'])
    const before = source.requests.length
    expect(await mirror('--reuse', at('b.tar'))).toMatchObject({ code: 0 })
    const asked = source.requests.slice(before)
    expect(asked.some((line) => line.includes('/manifests/'))).toBe(true)
    // Of an image without an index only its config tells the platform.
    const [config] = images['team/two:2'].blobs.keys()
    expect(asked.filter((line) => line.startsWith('GET') && line.includes('/blobs/'))).toEqual([
      `GET /v2/team/two/blobs/${config}`,
    ])
    const verified = await runShell(['verify', at('b.tar'), '--registry', target.host])
    expect(verified.stdout).toContain('3 of 3 are in')
  })

  it('fetches each blob once, and none when all is there', async () => {
    await mirror()
    const fetched = source.requests.filter((line) => line.startsWith('GET') && line.includes('/blobs/'))
    expect(fetched.length).toBe(new Set(fetched.map((line) => line.split('/blobs/')[1])).size)
    const before = source.requests.length
    const again = await mirror('--json')
    expect(again.code).toBe(0)
    expect(JSON.stringify(resultOf(again)['roots'])).not.toContain('pushed')
    const layers = [...images['team/one:1'].children, images['team/two:2']].flatMap(({ blobs }) =>
      [...blobs.keys()].slice(1),
    )
    const asked = source.requests.slice(before)
    expect(asked.filter((line) => layers.some((digest) => line.includes(digest)))).toEqual([])
  })

  it('costs ECR one request a root when all is there', async () => {
    const ecr = await startEcr({ tls: false, quotas: 'none' })
    try {
      const run = () =>
        runShell(
          [
            'mirror',
            '--registry',
            ecr.registry,
            '--endpoint-url',
            ecr.endpoint,
            '--region',
            ecr.region,
            '--spec',
            at('spec.yaml'),
            '--values',
            at('values.yaml'),
            '--no-prove',
          ],
          { env: { ...ecr.environment, XDG_STATE_HOME: folder } },
        )
      expect(await run()).toMatchObject({ code: 0 })
      expect(ecr.tags()).toEqual({
        [place('team/one:1')]: images['team/one:1'].digest,
        [place('team/two:2')]: images['team/two:2'].digest,
        'charts/web:1.2.3': expect.any(String),
      })
      ecr.log.clear()
      expect(await run()).toMatchObject({ code: 0 })
      expect(ecr.log.counts()).toEqual({ GetAuthorizationToken: 1, BatchGetImage: 3 })
    } finally {
      await ecr.stop()
    }
  })

  it('never pushes wrong bytes, brings the rest, and goes on when run again', async () => {
    damage = 'always'
    const { code, stderr } = await mirror()
    expect(code).toBe(5)
    expect(stderr).toContain('team/two:2')
    const tags = await fetch(`http://${target.host}/v2/${place('team/two')}/tags/list`)
    expect(tags.status).toBe(404)
    expect((await fetch(`http://${target.host}/v2/${place('team/one')}/tags/list`)).status).toBe(200)
    damage = 'none'
    const again = await mirror('--json')
    expect(again.code).toBe(0)
    expect(resultOf(again)['roots']).toEqual([
      expect.objectContaining({ outcome: 'unchanged' }),
      expect.objectContaining({ outcome: 'pushed' }),
      expect.objectContaining({ outcome: 'unchanged' }),
    ])
  })

  it('changes nothing in a dry run, nor when something cannot be had', async () => {
    expect(await mirror('--dry-run', '--json')).toMatchObject({ code: 0 })
    writeFileSync(at('spec.yaml'), `images: [${source.host}/team/one:1, ${source.host}/team/none:1]\n`)
    const { code, stderr } = await mirror()
    expect(code).toBe(1)
    expect(stderr).toContain('team/none:1')
    const { repositories } = (await (await fetch(`http://${target.host}/v2/_catalog`)).json()) as object & {
      repositories: unknown
    }
    expect(repositories).toEqual([])
  })

  it('hands the one password to the side it is for', async () => {
    const user = { username: 'me', password: 'very secret' }
    const guarded = await startDockerRegistry({ user })
    try {
      const run = (...flags: readonly string[]): Promise<Outcome> =>
        runShell(
          [
            'mirror',
            '--registry',
            guarded.host,
            '--spec',
            at('spec.yaml'),
            '--values',
            at('v.yaml'),
            '--no-prove',
            ...flags,
          ],
          {
            stdin: user.password,
          },
        )
      expect(await run()).toMatchObject({ code: 3 })
      expect(await run('--username', 'me', '--password-stdin')).toMatchObject({ code: 0 })
      expect(await run('--username', `${source.host}=me`, '--password-stdin')).toMatchObject({ code: 3 })
    } finally {
      await guarded.stop()
    }
  })
})
