import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Ajv from 'ajv'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { knownChart, knownConsumer, bundledSpecs, loadSpec } from '../../src/bundle/spec/bundled.ts'
import { imagesOf, nameOf, parseSpec, selectGroups } from '../../src/bundle/spec/spec.ts'
import { parseReference } from '../../src/oci/reference.ts'
import { SPEC } from '../support/spec.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ma-bundle-specs-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('the bundled specs', () => {
  it.each([
    ['2.6.4', 12, 58, 103],
    ['3.3.6', 16, 64, 117],
  ])('%s lists its charts, images and bindings', async (version, charts, images, bindings) => {
    const { spec } = await loadSpec(`migration-assistant-${version}`)
    const groups = selectGroups(spec)
    expect(spec.version).toBe(version)
    expect(groups.flatMap((group) => group.charts)).toHaveLength(charts)
    expect(imagesOf(groups)).toHaveLength(images)
    expect([...spec.bindings.values()].flat()).toHaveLength(bindings)
  })

  it.each(['2.6.4', '3.3.6'])(
    '%s has its own four images, its chart, its script and two dashboards',
    async (version) => {
      const { spec } = await loadSpec(`migration-assistant-${version}`)
      const own = spec.groups.find(({ name }) => name === 'migration-assistant')
      expect(own?.optional).toBe(false)
      expect(own?.charts).toMatchObject([
        { name: 'migration-assistant', version, repository: expect.stringMatching(/\.tgz$/) as string },
      ])
      expect(own?.images.map((image) => nameOf(image).repository)).toEqual(
        ['traffic-capture-proxy', 'traffic-replayer', 'reindex-from-snapshot', 'console'].map(
          (name) => `opensearchproject/opensearch-migrations-${name}`,
        ),
      )
      expect(own?.images.every(({ reference }) => reference.tag === version)).toBe(true)
      expect(own?.files.map(({ name, digest }) => [name, digest !== undefined])).toEqual([
        ['aws-bootstrap.sh', version === '2.6.4'],
        ['capture-replay-dashboard.json', true],
        ['reindex-from-snapshot-dashboard.json', true],
      ])
    },
  )

  it('have bindings whose images come from somewhere: the bundle, or another place it names', () => {
    for (const { text, fileName } of bundledSpecs) {
      const spec = parseSpec(text, fileName)
      const charts = spec.groups.flatMap((group) => group.charts.map(({ name }) => name))
      expect([...spec.bindings.keys(), spec.consumer?.chart ?? ''].toSorted()).toEqual(charts.toSorted())
      const bound = new Set(
        [...spec.bindings.values(), spec.consumer?.bindings ?? []]
          .flat()
          .flatMap(({ reference, also, image }) => [
            image ?? parseReference(reference),
            ...also.map(parseReference),
          ])
          .map(({ repository }) => repository),
      )
      const hinted = new Set([...spec.hints.values()].flat().map(({ reference }) => repositoryOf(reference)))
      const unknown = imagesOf(spec.groups)
        .map((image) => nameOf(image).repository)
        .filter(
          (repository) =>
            !bound.has(repository) &&
            !hinted.has(repository) &&
            !/^(?:moby|library\/amazon)/.test(repository),
        )
      // Superfluous in upstream's own list, or named by the consumer's workflow code only.
      expect(unknown).toEqual([])
    }
  })

  it('fit the JSON schema that editors use', async () => {
    const validate = await schema()
    for (const { text, name } of bundledSpecs) {
      expect(validate(parse(text)), `${name}: ${JSON.stringify(validate.errors)}`).toBe(true)
      expect(text.startsWith('# yaml-language-server: $schema=schema.json\n')).toBe(true)
    }
  })

  it.each([
    ['an unknown key', 'imges: []'],
    ['a number as version', 'version: 1.10'],
    ['a platform without architecture', 'platforms: [linux]'],
    [
      'a chart without version',
      'groups: [{ name: a, charts: [{ name: x, repository: https://x.example }] }]',
    ],
    [
      'credentials in an address',
      'groups: [{ name: a, files: [{ name: x, url: "https://u:p@x.example/y" }] }]',
    ],
    ['a hint without action', 'hints: { x: [{ reference: a, where: code, reason: b }] }'],
    ['a binding with a broken path', 'bindings: { x: [{ path: a..b, reference: a }] }'],
    ['a group without a name', 'groups: [{ images: [] }]'],
    ['an empty list of platforms', 'platforms: []'],
    [
      'a short digest',
      'groups: [{ name: a, files: [{ name: x, url: "https://x.example/y", sha256: abc }] }]',
    ],
  ])('schema and parser agree to refuse %s', async (_, line) => {
    const validate = await schema()
    const key = line.slice(0, line.indexOf(':'))
    const text = `${SPEC.split('\n')
      .filter((other) => !other.startsWith(`${key}:`))
      .join('\n')}\n${line}\n`
    expect(validate(parse(text))).toBe(false)
    expect(() => parseSpec(text, 'x.yaml')).toThrow(/x\.yaml/)
  })

  it('schema and parser agree on a minimal spec', async () => {
    const validate = await schema()
    expect(validate(parse(SPEC)), JSON.stringify(validate.errors)).toBe(true)
    expect(parseSpec(SPEC, 'x.yaml').name).toBe('small')
  })
})

describe('loadSpec', () => {
  it('takes the newest when nothing is said, and by the family name', async () => {
    const [newest] = bundledSpecs
    expect((await loadSpec()).fileName).toBe(newest?.fileName)
    expect((await loadSpec('migration-assistant')).fileName).toBe(newest?.fileName)
  })

  it('takes a path', async () => {
    const path = join(folder, 'mine.yaml')
    await writeFile(path, SPEC)
    const loaded = await loadSpec(path)
    expect(loaded).toMatchObject({ text: SPEC, fileName: '…/mine.yaml', spec: { name: 'small' } })
  })

  it('suggests and lists for an unknown name', async () => {
    await expect(loadSpec('migration-asistant')).rejects.toMatchObject({
      kind: 'usage',
      message: 'there is no file or bundled spec "migration-asistant"; did you mean migration-assistant?',
      next: 'give the path of a spec, or one of migration-assistant, migration-assistant-3.3.6, migration-assistant-2.6.4',
    })
  })

  it('refuses folders, and files too large to be a list', async () => {
    await expect(loadSpec(folder)).rejects.toMatchObject({
      kind: 'usage',
      message: expect.stringContaining('is a folder'),
    })
    const path = join(folder, 'bundle.tar')
    await writeFile(path, Buffer.alloc(17 * 1024 * 1024))
    await expect(loadSpec(path)).rejects.toMatchObject({
      kind: 'usage',
      message: expect.stringContaining('17.0 MiB'),
    })
  })
})

describe('what is known of charts', () => {
  it('is found by name and version, with or without v', () => {
    expect(knownChart('cert-manager', 'v1.17.2')?.bindings.map(({ path }) => path)).toContain('webhook.image')
    expect(knownChart('acmpca-chart', '1.2.2')?.key).toBe('ack-acmpca-controller')
    expect(knownChart('cert-manager', '1.18.0')).toBeUndefined()
  })

  it('gives a list without consumer that of the release most like it', async () => {
    const { spec } = await loadSpec('migration-assistant-2.6.4')
    const charts = spec.groups.flatMap((group) => group.charts)
    expect(knownConsumer(charts)).toMatchObject(spec.consumer ?? {})
    expect(
      knownConsumer([{ name: 'x', version: '1.0.0', repository: 'https://x.example', key: 'x' }]),
    ).toBeUndefined()
  })
})

async function schema(): Promise<ReturnType<Ajv['compile']>> {
  const text = await readFile(new URL('../../manifests/schema.json', import.meta.url), 'utf8')
  return new Ajv({ allErrors: true, strict: false }).compile(JSON.parse(text) as object)
}

function repositoryOf(reference: string): string {
  return /[<>]/.test(reference) ? reference : parseReference(reference).repository
}
