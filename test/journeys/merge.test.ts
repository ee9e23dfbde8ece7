import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import manifest from '../../package.json' with { type: 'json' }
import type { PackedChart } from '../support/charts.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { helmBinary } from '../support/helm.ts'
import { fakeProgram } from '../support/elf.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

const shared = layerOf({ base: noise(200_000, 1) })
const image = (seed: number, platform = 'linux/amd64'): BuiltImage =>
  buildImage([shared, layerOf({ own: noise(40_000, seed) })], { platform })
const multi = (seed: number): BuiltImage => buildIndex([image(seed), image(seed + 1, 'linux/arm64')])
const chart = (name: string, version: string, tag: string): PackedChart => {
  const metadata = { apiVersion: 'v2', name, version }
  const files = {
    [`${name}/Chart.yaml`]: JSON.stringify(metadata),
    [`${name}/values.yaml`]: `image:\n  repository: r.example/shop/${name}\n  tag: "${tag}"\n`,
    [`${name}/templates/pod.yaml`]: `apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  containers: [{ name: ${name}, image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}" }]
`,
  }
  return { name, version, metadata, tgz: layerOf(files) }
}

const images: Record<string, BuiltImage> = {
  'shop/web:1': multi(10),
  'shop/api:1': multi(20),
  'shop/common:1': image(30),
  'shop/moved:1': image(40),
  'shop/job:1': image(60),
}
const charts = [chart('web', '1.0.0', '1'), chart('api', '1.0.0', '1'), chart('web', '2.0.0', '1')]

let folder: string
let source: EmbeddedSource
let target: DockerRegistry
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'merge-'))
  source = await startSource({ images, charts })
  target = await startDockerRegistry()
  await exportAs('web.tar', ['web:1', 'common:1'], ['web 1.0.0'])
  await exportAs('api.tar', ['common:1', 'api:1'], ['api 1.0.0'])
}, 60_000)
afterAll(async () => {
  await source.stop()
  await target.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface Listing {
  readonly group?: string
  readonly more?: string
}

function specOf(
  name: string,
  list: readonly string[],
  those: readonly string[],
  listing: Listing = {},
): string {
  const { group = 'all', more = '' } = listing
  const listed = list.map(
    (one) => `      - { reference: "${source.host}/shop/${one}", as: "r.example/shop/${one}" }\n`,
  )
  const packed = those.map((one) => {
    const [chartName, version] = one.split(' ')
    return `      - { name: ${chartName}, version: ${version}, repository: "http://${source.host}/charts" }\n`
  })
  return `apiVersion: ma-bundle/v1
kind: BundleSpec
name: ${name}
version: 1.0.0
groups:
  - name: ${group}
    images:
${listed.join('')}${packed.length === 0 ? '' : `    charts:\n${packed.join('')}`}${more}`
}

async function exportAs(
  file: string,
  list: readonly string[],
  those: readonly string[] = [],
  ...flags: readonly string[]
): Promise<void> {
  const name = file.replace(/\.tar$/, '')
  writeFileSync(at(`${name}.yaml`), specOf(name, list, those))
  const { code, stderr } = await runShell(['export', at(file), '--spec', at(`${name}.yaml`), ...flags])
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
}

const merge = (files: readonly string[], ...flags: readonly string[]): Promise<Outcome> =>
  runShell(['merge', ...files.map(at), '-o', at('all.tar'), ...flags])
const bytesOf = (file: string): Buffer => readFileSync(at(file))
interface Table {
  readonly roots: readonly { readonly kind: string; readonly name: string; readonly digest: string }[]
  readonly proof: unknown
}
const tableOf = async (file: string): Promise<Table> => {
  const { json } = await runShell(['inspect', at(file), '--json'])
  const [last] = json.slice(-1)
  if (last === undefined) throw new Error(`${file} cannot be inspected`)
  return last['result'] as Table
}
const rootsOf = async (file: string): Promise<readonly string[]> => {
  const { roots } = await tableOf(file)
  return roots.map(({ kind, name }) => `${kind} ${name}`)
}
/** What an import of the bundle writes, without the line that says what of. */
async function overrideOf(file: string): Promise<string> {
  const values = at(`${file}.values.yaml`)
  const { code, stderr } = await runShell(['import', at(file), '--registry', target.host, '--values', values])
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  return readFileSync(values, 'utf8').replace(/^#.*\n/, '')
}

describe('merge', () => {
  it('makes one whole bundle of all, with what they share once', async () => {
    const { code, stdout } = await merge(['web.tar', 'api.tar'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/Wrote all\.tar: .*, 5 items of 2 bundles, in /)
    expect(await rootsOf('all.tar')).toEqual([
      'image r.example/shop/web:1',
      'image r.example/shop/common:1',
      'image r.example/shop/api:1',
      'chart web:1.0.0',
      'chart api:1.0.0',
    ])
    expect((await runShell(['verify', at('all.tar')])).code).toBe(0)
    expect(bytesOf('all.tar').length).toBeLessThan(
      bytesOf('web.tar').length + bytesOf('api.tar').length - 200_000,
    )
    const list = (await runProgram('tar', ['tf', at('all.tar')])).stdout.toString().trim().split('\n')
    expect(new Set(list).size).toBe(list.length)
  })

  it('writes the override that the export of one list of all would write', async () => {
    await merge(['web.tar', 'api.tar'])
    await exportAs('joined.tar', ['web:1', 'common:1', 'api:1'], ['web 1.0.0', 'api 1.0.0'])
    const override = await overrideOf('all.tar')
    expect(override).toBe(await overrideOf('joined.tar'))
    expect(parse(override)).toMatchObject({
      charts: {
        web: { values: { image: { repository: `${target.host}/mirrored/r.example/shop/web` } } },
        api: { values: { image: { repository: `${target.host}/mirrored/r.example/shop/api` } } },
      },
    })
  })

  it('keeps what a helm showed of each part: the same override, and a proof of all charts', async () => {
    const helm = ['--helm', await helmBinary(3)]
    await exportAs('proven-web.tar', ['web:1', 'common:1'], ['web 1.0.0'], ...helm)
    await exportAs('proven-api.tar', ['api:1'], ['api 1.0.0'], ...helm)
    await exportAs('proven.tar', ['web:1', 'common:1', 'api:1'], ['web 1.0.0', 'api 1.0.0'], ...helm)
    expect((await merge(['proven-web.tar', 'proven-api.tar'])).code).toBe(0)
    expect(await overrideOf('all.tar')).toBe(await overrideOf('proven.tar'))
    const proofs = await Promise.all(
      ['all.tar', 'proven.tar'].map(async (file) => {
        return (await tableOf(file)).proof
      }),
    )
    expect(proofs[0]).toEqual(proofs[1])
    expect(proofs[0]).toMatchObject([
      { chart: 'web', boundCount: 1, open: [] },
      { chart: 'api', boundCount: 1, open: [] },
    ])
    // A part without helm knows less of the same chart, and takes nothing away.
    await merge(['proven-web.tar', 'web.tar'], '--prefer', 'last')
    expect((await runShell(['inspect', at('all.tar')])).stdout).toContain(
      '1 reference of 1 chart bound, none still',
    )
  })

  it('gives the same bytes again, and its lock makes them out of the sources', async () => {
    await merge(['web.tar', 'api.tar'])
    const first = bytesOf('all.tar')
    await merge(['web.tar', 'api.tar'])
    expect(Buffer.compare(bytesOf('all.tar'), first)).toBe(0)
    const again = await runShell(['export', at('again.tar'), '--lock', at('all.tar.lock.json')])
    expect({ code: again.code, stderr: again.code === 0 ? '' : again.stderr }).toEqual({
      code: 0,
      stderr: '',
    })
    expect(Buffer.compare(bytesOf('again.tar'), first)).toBe(0)
  })

  it('does so when the parts were exported for other platforms, with groups of one name', async () => {
    await exportAs('arm.tar', ['api:1'], ['api 1.0.0'], '--platform', 'linux/arm64')
    const web = specOf('opt', ['job:1'], [], { group: 'extra\n    optional: true' })
    writeFileSync(
      at('opt.yaml'),
      `${web}  - name: all\n    images: [{ reference: "${source.host}/shop/web:1", as: "r.example/shop/web:1" }]\n`,
    )
    await runShell(['export', at('opt.tar'), '--spec', at('opt.yaml'), '--with', 'extra'])
    expect((await merge(['opt.tar', 'arm.tar'])).code).toBe(0)
    expect(await rootsOf('all.tar')).toEqual([
      'image r.example/shop/job:1',
      'image r.example/shop/web:1',
      'image r.example/shop/api:1',
      'chart api:1.0.0',
    ])
    const merged = bytesOf('all.tar')
    const again = await runShell(['export', at('again.tar'), '--lock', at('all.tar.lock.json')])
    expect(again.code).toBe(0)
    expect(Buffer.compare(bytesOf('again.tar'), merged)).toBe(0)
  })

  it('reads volumes and writes volumes', async () => {
    await exportAs('split.tar', ['web:1', 'common:1'], ['web 1.0.0'], '--split', '300KiB')
    expect(await merge(['split.tar', 'api.tar'])).toMatchObject({ code: 0 })
    const whole = bytesOf('all.tar')
    const { code, stdout } = await runShell([
      'merge',
      at('split.tar'),
      at('api.tar'),
      '-o',
      at('volumes.tar'),
      '--split',
      '200KiB',
    ])
    expect(code).toBe(0)
    expect(stdout).toContain('volumes.tar.001')
    const joined = await runProgram('sh', ['-c', 'cat volumes.tar.[0-9]*'], { cwd: folder })
    expect(Buffer.compare(joined.stdout, whole)).toBe(0)
    expect((await runShell(['verify', at('volumes.tar')])).code).toBe(0)
  })

  it('is one bundle when it is merged with itself', async () => {
    expect((await merge(['web.tar', 'web.tar'])).code).toBe(0)
    expect(Buffer.compare(bytesOf('all.tar'), bytesOf('web.tar'))).toBe(0)
  })

  it('carries the importer on', async () => {
    writeFileSync(at('ma-bundle'), fakeProgram({ version: manifest.version, platform: 'linux/amd64' }))
    await exportAs('cli.tar', ['job:1'], [], '--with-cli', '--cli-from', at('ma-bundle'))
    expect((await merge(['web.tar', 'cli.tar'])).code).toBe(0)
    const { stdout } = await runProgram('tar', ['xOf', at('all.tar'), 'ma-bundle'])
    expect(Buffer.compare(stdout, bytesOf('ma-bundle'))).toBe(0)
    expect((await runShell(['verify', at('all.tar')])).code).toBe(0)
  })
})

describe('merge of bundles that differ', () => {
  const old = images['shop/moved:1']?.digest
  const moved = image(50)
  beforeAll(async () => {
    await exportAs('before.tar', ['moved:1', 'web:1'])
    source.replace('shop/moved:1', moved)
    await exportAs('after.tar', ['moved:1', 'api:1'])
    await exportAs('web2.tar', ['web:1'], ['web 2.0.0'])
  })

  it('refuses, and names both digests and both bundles', async () => {
    const { code, stderr } = await merge(['before.tar', 'after.tar'])
    expect(code).toBe(2)
    expect(stderr).toContain(
      `image r.example/shop/moved:1: ${moved.digest} in after.tar, ${old ?? ''} in before.tar`,
    )
    expect(stderr).toContain('--prefer last')
  })

  it.each([
    ['last', () => moved.digest],
    ['first', () => old],
  ])('takes that of the %s when told to', async (prefer, digest) => {
    expect((await merge(['before.tar', 'after.tar'], '--prefer', prefer)).code).toBe(0)
    const { roots } = await tableOf('all.tar')
    expect(roots.map(({ name }) => name).toSorted()).toEqual(
      ['api', 'moved', 'web'].map((name) => `r.example/shop/${name}:1`),
    )
    expect(roots.find(({ name }) => name === 'r.example/shop/moved:1')?.digest).toBe(digest())
    expect((await runShell(['verify', at('all.tar')])).code).toBe(0)
  })

  it('tells two cuts of one image by their platforms', async () => {
    await exportAs('cut-amd64.tar', ['web:1'], [], '--platform', 'linux/amd64')
    await exportAs('cut-arm64.tar', ['web:1'], [], '--platform', 'linux/arm64')
    const { code, stderr } = await merge(['cut-amd64.tar', 'cut-arm64.tar'])
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /\(linux\/arm64\) in cut-arm64\.tar, sha256:\w+ \(linux\/amd64\) in cut-amd64\.tar/,
    )
  })

  it('refuses two versions of a chart, which one override cannot name; the preferred one stays', async () => {
    const refused = await merge(['web.tar', 'web2.tar'])
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(
      /chart web: web:2\.0\.0 \(sha256:\w+ in web2\.tar\), web:1\.0\.0 \(sha256:\w+ in web\.tar\)/,
    )
    expect((await merge(['web.tar', 'web2.tar'], '--prefer', 'last')).code).toBe(0)
    expect((await rootsOf('all.tar')).filter((root) => root.startsWith('chart'))).toEqual(['chart web:2.0.0'])
    expect(parse(await overrideOf('all.tar'))).toMatchObject({ charts: { web: { version: '2.0.0' } } })
  })
})

describe('merge with a bundle that leaves blobs out', () => {
  beforeAll(async () => {
    await exportAs('base.tar', ['web:1', 'common:1'], ['web 1.0.0'])
    await exportAs('full.tar', ['web:1', 'api:1', 'common:1'], ['web 1.0.0', 'api 1.0.0'])
    writeFileSync(at('since.yaml'), readFileSync(at('full.yaml'), 'utf8'))
    const { code } = await runShell([
      'export',
      at('since.tar'),
      '--spec',
      at('since.yaml'),
      '--since',
      at('base.tar'),
    ])
    expect(code).toBe(0)
    expect(bytesOf('since.tar').length).toBeLessThan(bytesOf('full.tar').length - 200_000)
  })

  it('makes the full bundle of it, byte for byte, with --fill', async () => {
    expect((await merge(['base.tar', 'since.tar'], '--fill')).code).toBe(0)
    expect(Buffer.compare(bytesOf('all.tar'), bytesOf('full.tar'))).toBe(0)
  })

  it('fills what is absent when it takes everything, too', async () => {
    const { code, stdout } = await merge(['base.tar', 'since.tar'])
    expect(code).toBe(0)
    expect(stdout).not.toContain('leaves out')
    const { json } = await runShell(['inspect', at('all.tar'), '--json'])
    expect(json.at(-1)?.['result']).toMatchObject({ absent: { count: 0 } })
  })

  it('leaves out what none of them has, and says so', async () => {
    await exportAs('other.tar', ['job:1'], [], '--since', at('base.tar'))
    await exportAs('third.tar', ['job:1'])
    const { code, stdout } = await merge(['since.tar', 'since.tar'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/It leaves out \d+ blobs \(.*\) that none of them has/)
  })
})

describe('merge of what is damaged or foreign', () => {
  const damage = (file: string): void => {
    const bytes = bytesOf(file)
    const hole = bytes.indexOf(Buffer.from(shared.subarray(1000, 1064)))
    expect(hole).toBeGreaterThan(0)
    bytes[hole] = (bytes[hole] ?? 0) ^ 1
    writeFileSync(at(`damaged-${file}`), bytes)
  }

  it('takes a blob from the other part when it is damaged in one', async () => {
    damage('web.tar')
    await merge(['web.tar', 'api.tar'])
    const whole = bytesOf('all.tar')
    const { code, stderr } = await merge(['damaged-web.tar', 'api.tar'])
    expect(code).toBe(0)
    expect(stderr).toContain('sha256:')
    // Only the names of the parts differ, which no bundle holds.
    expect(Buffer.compare(bytesOf('all.tar'), whole)).toBe(0)
  })

  it('writes nothing when every part has it damaged', async () => {
    damage('web.tar')
    damage('api.tar')
    const { code } = await runShell([
      'merge',
      at('damaged-web.tar'),
      at('damaged-api.tar'),
      '-o',
      at('none.tar'),
    ])
    expect(code).toBe(5)
    expect(readdirSync(folder)).not.toContain('none.tar')
  })

  it('refuses an OCI layout of another tool, a single bundle, and what is no bundle', async () => {
    const ref = 'r.example/shop/web:1'
    await runProgram('skopeo', [
      'copy',
      '--all',
      `oci-archive:${at('web.tar')}:${ref}`,
      `oci-archive:${at('foreign.tar')}:x`,
    ])
    const foreign = await merge(['web.tar', 'foreign.tar'])
    expect(foreign.code).toBe(2)
    expect(foreign.stderr).toContain('OCI layout of another tool')
    expect(foreign.stderr).toContain('foreign.tar')
    expect((await merge(['web.tar'])).code).toBe(2)
    expect((await merge(['web.tar', 'web.yaml'])).code).toBe(5)
  })
})
