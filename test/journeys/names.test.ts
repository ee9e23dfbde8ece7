import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chartYaml, deployment, packChart } from '../support/charts/pack.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { helmBinary } from '../support/helm.ts'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let registry: DockerRegistry
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-names-'))
  const image = (seed: number) =>
    buildImage([layerOf({ own: noise(600, seed) })], { platform: 'linux/amd64' })
  source = await startSource({
    images: { 'team/api:2': image(1), 'team/sub/web:2': image(2), 'other/web:2': image(3) },
  })
  registry = await startDockerRegistry()
  const { host } = source
  writeFileSync(
    at('shop.tgz'),
    packChart('shop', {
      'Chart.yaml': chartYaml('shop'),
      'values.yaml': `api: { repository: ${host}/team/api, tag: "2" }\nweb: ${host}/team/sub/web:2\n`,
      'templates/api.yaml': deployment('api', '{{ .Values.api.repository }}:{{ .Values.api.tag }}'),
      'templates/web.yaml': deployment('web', '{{ .Values.web }}'),
    }),
  )
  const helm = await helmBinary(4)
  const images = ['team/api:2', 'team/sub/web:2', 'other/web:2'].map((name) => `${host}/${name}`)
  const made = await runShell(['export', at('b.tar'), ...images, '--chart', at('shop.tgz'), '--helm', helm])
  if (made.code !== 0) throw new Error(made.stderr)
})

afterAll(async () => {
  await source.stop()
  await registry.stop()
  rmSync(folder, { recursive: true, force: true })
})

const repositoriesOf = ({ json }: Outcome): Readonly<Record<string, string>> => {
  const result = json.find(({ type }) => type === 'result')
  const { roots } = (result?.['result'] ?? { roots: [] }) as {
    roots: { name: string; repository: string }[]
  }
  return Object.fromEntries(
    roots.map(({ name, repository }) => [name.replace(`${source.host}/`, ''), repository]),
  )
}

const run = (...args: string[]): Promise<Outcome> => runShell([...args, '--json'])

describe('names at the destination', () => {
  it.each([
    [
      [`--prefix=`],
      { api: (host: string) => `${host}/team/api`, web: (host: string) => `${host}/team/sub/web` },
    ],
    [
      ['--map', 'SOURCE/=ours/', '--map', 'SOURCE/team/sub=deep'],
      { api: () => 'ours/team/api', web: () => 'deep/web' },
    ],
    [
      ['--map', 'SOURCE/team/api=one/name'],
      { api: () => 'one/name', web: (host: string) => `mirrored/${host}/team/sub/web` },
    ],
    [['--repository', 'all/{path}'], { api: () => 'all/team/api', web: () => 'all/team/sub/web' }],
  ])(
    'are those that %j makes, in import, override, values, verify and serve alike',
    async (flags, wanted) => {
      const named = flags.map((flag) => flag.replace('SOURCE', source.host))
      const host = source.host.replace(':', '-')
      const to = ['--registry', registry.host, ...named]
      const imported = await run('import', at('b.tar'), ...to, '--values', at('v.yaml'))
      expect(imported).toMatchObject({ code: 0 })
      const there = repositoriesOf(imported)
      expect(there['team/api:2']).toBe(wanted.api(host))
      expect(there['team/sub/web:2']).toBe(wanted.web(host))

      const override = readFileSync(at('v.yaml'), 'utf8')
      expect(override.split('\n')[0]).toContain(`Written by ma-bundle with --`)
      expect(parse(override)).toMatchObject({
        charts: {
          shop: {
            values: {
              api: { repository: `${registry.host}/${wanted.api(host)}` },
              web: `${registry.host}/${wanted.web(host)}:2`,
            },
          },
        },
      })
      const values = await runShell(['values', at('b.tar'), ...to])
      expect(values.stdout).toBe(override)
      expect(await run('verify', at('b.tar'), ...to)).toMatchObject({ code: 0 })
      const again = await run('import', at('b.tar'), ...to, '--values', at('v.yaml'))
      expect(again.stdout).not.toContain('"outcome":"pushed"')

      const stop = new AbortController()
      const serving = runShell(['serve', at('b.tar'), '--listen', '127.0.0.1:0', ...named], {
        signal: stop.signal,
      })
      setTimeout(() => stop.abort(), 1500)
      expect((await serving).stdout).toContain(wanted.api(host))
    },
  )

  it('that would overwrite each other, or that ECR refuses, are found before anything is pushed', async () => {
    const to = ['--registry', registry.host, '--repository', 'clash/{name}']
    const imported = await run('import', at('b.tar'), ...to, '--values', at('v.yaml'))
    expect(imported).toMatchObject({ code: 2 })
    expect(imported.stderr).toContain(
      `${source.host}/team/sub/web:2 and ${source.host}/other/web:2 would both be clash/web:2`,
    )
    const planned = await runShell([
      'plan',
      at('p.tar'),
      `${source.host}/team/sub/web:2`,
      `${source.host}/other/web:2`,
      ...to,
    ])
    expect(planned).toMatchObject({ code: 2 })
    const catalog = (await (await fetch(`http://${registry.host}/v2/_catalog`)).json()) as {
      repositories: string[]
    }
    expect(catalog.repositories.filter((name) => name.startsWith('clash/'))).toEqual([])
    // The remedy it names.
    const without = await run(
      'import',
      at('b.tar'),
      ...to,
      '--values',
      at('v.yaml'),
      '--exclude',
      '*/other/web*',
    )
    expect(without).toMatchObject({ code: 0 })

    const ecr = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
    const long = await run('import', at('b.tar'), '--registry', ecr, '--prefix', 'x/'.repeat(124) + 'x')
    expect(long).toMatchObject({ code: 2 })
    expect(long.stderr).toContain('ECR allows 256')
  })

  it('that say nothing are refused', async () => {
    const wrong = (...flags: string[]): Promise<Outcome> =>
      run('import', at('b.tar'), '--registry', registry.host, ...flags)
    expect((await wrong('--map', 'quay.io')).stderr).toContain('does not say what becomes what')
    expect((await wrong('--map', 'quay.io=UP')).stderr).toContain('cannot be part of a repository name')
    expect((await wrong('--map', 'a.io=b', '--map', 'a.io/=c')).stderr).toContain('is given twice')
    expect((await wrong('--repository', '{hots}/{path}')).stderr).toContain('has no part {hots}')
  })

  it('stay as they end for nodes, or are refused with what works instead', async () => {
    const to = ['--registry', registry.host]
    const mirror = await runShell([
      'values',
      at('b.tar'),
      '--format',
      'containerd',
      ...to,
      '--map',
      `${source.host}/=ours/`,
    ])
    expect(mirror.stdout).toContain(`/v2/ours"`)
    const renamed = await runShell([
      'values',
      at('b.tar'),
      '--format',
      'containerd',
      ...to,
      '--map',
      `${source.host}/team/api=one`,
    ])
    expect(renamed).toMatchObject({ code: 2 })
    expect(renamed.stderr).toContain('use --format kyverno')
    const kyverno = await runShell([
      'values',
      at('b.tar'),
      '--format',
      'kyverno',
      ...to,
      '--map',
      `${source.host}/team/api=one`,
    ])
    expect(kyverno.stdout).toContain(`${registry.host}/one:2`)
  })
})
