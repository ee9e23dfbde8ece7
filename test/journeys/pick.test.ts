import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { chartYaml, deployment, packChart } from '../support/charts/pack.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { helmBinary } from '../support/helm.ts'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let registry: DockerRegistry
let spec: string
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-pick-'))
  const image = (seed: number) =>
    buildImage([layerOf({ own: noise(600, seed) })], { platform: 'linux/amd64' })
  source = await startSource({
    images: {
      'shop/api:2': image(1),
      'shop/web:3': image(2),
      'tools/job:1': image(3),
      'tools/debug:1': image(4),
    },
  })
  registry = await startDockerRegistry()
  writeFileSync(
    at('shop.tgz'),
    packChart('shop', {
      'Chart.yaml': chartYaml('shop'),
      'values.yaml': `image: { registry: ${source.host}, repository: shop/api, tag: "2" }\n`,
      'templates/api.yaml': deployment(
        'api',
        '{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag }}',
      ),
    }),
  )
  spec = at('spec.yaml')
  writeFileSync(
    spec,
    `apiVersion: ma-bundle/v1
kind: BundleSpec
name: pick
version: '1'
groups:
  - name: shop
    charts: [ { name: shop, version: 1.0.0, repository: ./shop.tgz } ]
    images: [ "${source.host}/shop/api:2", "${source.host}/shop/web:3" ]
  - name: tools
    images: [ "${source.host}/tools/job:1" ]
  - name: debug
    optional: true
    images: [ "${source.host}/tools/debug:1" ]
`,
  )
})

afterAll(async () => {
  await source.stop()
  await registry.stop()
  rmSync(folder, { recursive: true, force: true })
})

beforeEach(() => rmSync(at('b.tar'), { force: true }))

const run = async (...args: string[]): Promise<Outcome> =>
  runShell([...args, '--json', ...(args[0] === 'export' ? ['--spec', spec] : [])])

const rootsOf = ({ json }: Outcome): readonly string[] => {
  const result = json.find(({ type }) => type === 'result')?.['result'] as { roots: { name: string }[] }
  return result.roots.map(({ name }) => name.replace(`${source.host}/`, '')).toSorted()
}
const warningsOf = ({ json }: Outcome): readonly string[] =>
  json
    .filter(({ type }) => type === 'warning')
    .map(({ where, message }) => `${String(where)}: ${String(message)}`)

describe('export of a part', () => {
  it.each([
    [
      ['--exclude', '*/shop/web*'],
      ['shop/api:2', 'shop:1.0.0', 'tools/job:1'],
    ],
    [['--include', '*/tools/*'], ['tools/job:1']],
    [
      ['--only', 'shop'],
      ['shop/api:2', 'shop/web:3', 'shop:1.0.0'],
    ],
    [['--only', 'debug'], ['tools/debug:1']],
    [['--without', 'shop'], ['tools/job:1']],
    [
      ['--only', 'shop', '--exclude', 'shop'],
      ['shop/api:2', 'shop/web:3'],
    ],
  ])('takes with %j just %j', async (flags, names) => {
    const made = await run('export', at('b.tar'), '--no-prove', ...flags)
    expect(made).toMatchObject({ code: 0 })
    expect(rootsOf(made)).toEqual(names)
    // Its lock makes the same part again, without the flags.
    rmSync(at('b.tar'))
    const again = await runShell([
      'export',
      at('b.tar'),
      '--lock',
      at('b.tar.lock.json'),
      '--spec',
      spec,
      '--json',
      '--no-prove',
      ...flags,
    ])
    expect(again).toMatchObject({ code: 0 })
    expect(rootsOf(again)).toEqual(names)
  })

  it('says which chart loses an image that it needs', async () => {
    const helm = await helmBinary(4)
    const made = await run('export', at('b.tar'), '--helm', helm, '--exclude', '*/shop/api:*')
    expect(made).toMatchObject({ code: 0 })
    expect(rootsOf(made)).toEqual(['shop/web:3', 'shop:1.0.0', 'tools/job:1'])
    expect(warningsOf(made)).toContain(
      `chart shop 1.0.0: it pulls ${source.host}/shop/api:2, which is left out`,
    )
  })

  it('refuses what fits nothing, with the nearest name', async () => {
    const glob = await run('export', at('b.tar'), '--exclude', `${source.host}/shop/wep`)
    expect(glob).toMatchObject({ code: 2 })
    expect(glob.stderr).toContain(`fits nothing; did you mean ${source.host}/shop/web?`)
    const group = await run('export', at('b.tar'), '--only', 'tool')
    expect(group).toMatchObject({ code: 2 })
    expect(group.stderr).toContain('--only "tool" is no group; did you mean tools?')
    expect(existsSync(at('b.tar'))).toBe(false)
  })
})

describe('use of a part of a bundle', () => {
  it('imports, verifies and extracts what is picked, and says what a chart loses', async () => {
    const helm = await helmBinary(4)
    expect(await run('export', at('b.tar'), '--helm', helm, '--with', 'debug')).toMatchObject({ code: 0 })
    const to = ['--registry', registry.host]
    const preview = await run('import', at('b.tar'), ...to, '--dry-run', '--only', 'shop')
    expect(preview).toMatchObject({ code: 0 })
    expect(preview.json.find(({ type }) => type === 'result')?.['result']).toMatchObject({
      dryRun: true,
      roots: [{ state: 'missing' }, { state: 'missing' }, { state: 'missing' }],
    })
    const catalog = (await (await fetch(`http://${registry.host}/v2/_catalog`)).json()) as object
    expect(catalog).toEqual({ repositories: [] })
    const imported = await run(
      'import',
      at('b.tar'),
      ...to,
      '--values',
      at('v.yaml'),
      '--only',
      'shop',
      '--exclude',
      '*/shop/api*',
    )
    expect(imported).toMatchObject({ code: 0 })
    expect(rootsOf(imported)).toEqual(['shop/web:3', 'shop:1.0.0'])
    expect(warningsOf(imported)).toContain(
      `chart shop 1.0.0: it pulls ${source.host}/shop/api:2, which is left out`,
    )
    expect(
      await run('verify', at('b.tar'), ...to, '--only', 'shop', '--exclude', '*/shop/api*'),
    ).toMatchObject({ code: 0 })
    expect(await run('verify', at('b.tar'), ...to)).toMatchObject({ code: 1 })
    expect(await run('verify', at('b.tar'), '--only', 'shop')).toMatchObject({ code: 2 })
    const after = await runShell(['import', at('b.tar'), ...to, '--dry-run'])
    expect(after.stdout).toMatch(/3 of 5 would be pushed, [\d.]+ \w+ at the most\. Nothing was changed\./)
    const extracted = await run('extract', at('b.tar'), '--only', 'debug', '--output', at('out'))
    expect(extracted).toMatchObject({ code: 0 })
    const result = extracted.json.find(({ type }) => type === 'result')
    const { files } = (result?.['result'] ?? { files: [] }) as {
      files: { name: string }[]
    }
    expect(files.map(({ name }) => name)).toEqual([`${source.host}/tools/debug:1`])
  })
})
