import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KINDS, ONE, SHA } from '../bundle/spec/lists/kinds.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runShell } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let api: BuiltImage
const at = (name: string): string => join(folder, name)
const put = (name: string, text: string): string => {
  mkdirSync(dirname(at(name)), { recursive: true })
  writeFileSync(at(name), text)
  return at(name)
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-lists-'))
  const image = (seed: number, platform: string): BuiltImage =>
    buildImage([layerOf({ own: noise(600, seed) })], { platform })
  api = buildIndex([image(1, 'linux/amd64'), image(2, 'linux/arm64')])
  const metadata = { apiVersion: 'v2', name: 'web', version: '1.2.3' }
  const tgz = layerOf({ 'web/Chart.yaml': JSON.stringify(metadata), 'web/values.yaml': 'a: 1\n' })
  source = await startSource({
    images: { 'shop/api:2.0.1': api, 'shop/web:3': image(3, 'linux/amd64') },
    charts: [{ name: 'web', version: '1.2.3', metadata, tgz }],
  })
})

afterAll(async () => {
  await source.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** The names of what a bundle holds. */
async function contentsOf(bundle: string): Promise<readonly string[]> {
  const { json } = await runShell(['inspect', bundle, '--json'])
  const result = json.find(({ type }) => type === 'result')?.['result'] as { roots: { name: string }[] }
  return result.roots.map(({ name }) => name).toSorted()
}

describe('export of what people have', () => {
  it('takes one image on the command line, and nothing else', async () => {
    const made = await runShell(['export', at('one.tar'), `${source.host}/shop/api:2.0.1`, '--no-prove'])
    expect(made).toMatchObject({ code: 0 })
    expect(await contentsOf(at('one.tar'))).toEqual([`${source.host}/shop/api:2.0.1`])
    expect((await runShell(['verify', at('one.tar')])).code).toBe(0)
  })

  it('adds up arguments, charts of both kinds, lists and standard input', async () => {
    put('chart/Chart.yaml', 'apiVersion: v2\nname: near\nversion: 0.1.0\n')
    const args = [
      'export',
      at('sum.tar'),
      '--no-prove',
      '--image',
      `${source.host}/shop/api:2.0.1`,
      '--chart',
      `web@1.2.3=http://${source.host}/charts`,
      '--chart',
      at('chart'),
      '--spec',
      '-',
    ]
    const made = await runShell(args, { stdin: `${source.host}/shop/web:3\n` })
    expect(made).toMatchObject({ code: 0 })
    expect(await contentsOf(at('sum.tar'))).toEqual(
      [`${source.host}/shop/api:2.0.1`, `${source.host}/shop/web:3`, 'near:0.1.0', 'web:1.2.3'].toSorted(),
    )
    // The same again from its lock alone would need the folder: it says so.
    const again = await runShell(['export', at('again.tar'), '--lock', at('sum.tar.lock.json'), '--no-prove'])
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('the chart lies in ./chart, beside a spec that is not here')
    const remedy = await runShell([...args, '--lock', at('sum.tar.lock.json')], {
      stdin: `${source.host}/shop/web:3\n`,
    })
    expect(remedy.code).toBe(0)
  })

  const lists = (): Readonly<Record<string, string>> => ({
    'a text file': `# release\n${source.host}/shop/api:2.0.1\n`,
    'a Hauler manifest': `apiVersion: content.hauler.cattle.io/v1\nkind: Images\nmetadata: { name: i }\nspec: { images: [ { name: "${source.host}/shop/api:2.0.1" } ] }\n`,
    'a Zarf package': `kind: ZarfPackageConfig\nmetadata: { name: z }\ncomponents: [ { name: a, images: [ "${source.host}/shop/api:2.0.1" ] } ]\n`,
    'a compose file': `services: { api: { image: "${source.host}/shop/api:\${TAG:-2.0.1}" } }\n`,
    'rendered manifests': `---\n# Source: x\napiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { containers: [ { name: c, image: "${source.host}/shop/api:2.0.1" } ] }\n`,
    'an ImagesLock': `apiVersion: imgpkg.carvel.dev/v1alpha1\nkind: ImagesLock\nimages:\n- image: ${source.host}/shop/api@${api.digest}\n  annotations: { kbld.carvel.dev/id: "${source.host}/shop/api:2.0.1" }\n`,
    'a skopeo sync file': `${source.host}:\n  images: { shop/api: ["2.0.1"] }\n`,
  })
  for (const kind of [
    'a text file',
    'a Hauler manifest',
    'a Zarf package',
    'a compose file',
    'rendered manifests',
    'an ImagesLock',
    'a skopeo sync file',
  ]) {
    it(`takes ${kind} to the same image`, async () => {
      const list = put('list', lists()[kind] ?? '')
      const made = await runShell(['export', at('list.tar'), '--spec', list, '--no-prove'])
      expect(made).toMatchObject({ code: 0 })
      expect(await contentsOf(at('list.tar'))).toEqual([`${source.host}/shop/api:2.0.1`])
      // The bundle carries a spec, which exports to the same.
      rmSync(at('list.tar'))
      const again = await runShell(['export', at('list.tar'), '--lock', at('list.tar.lock.json')])
      expect(again).toMatchObject({ code: 0 })
    })
  }

  it('does not take an image for the bundle', async () => {
    const image = `${source.host}/shop/api:2.0.1`
    const forgotten = await runShell(['export', image])
    expect(forgotten).toMatchObject({ code: 2 })
    expect(forgotten.stderr).toContain(`ma-bundle export bundle.tar ${image}`)
    const planned = await runShell(['plan', image, '--no-prove'])
    expect(planned).toMatchObject({ code: 0 })
    expect(planned.stdout).toContain('shop/api:2.0.1')
  })

  const kinds = Object.entries(KINDS).filter(([, { images = [] }]) =>
    images.some((one) => one.startsWith(ONE)),
  )
  it.each(kinds.map(([kind, { file }]) => [kind, file]))('fetches what this names: %s', async (_, file) => {
    const host = 'registry.example'
    const wanted = [`--mirror=${host}=${source.host}`, '--include', `${host}/shop/api*`, '--no-prove']
    const made = await runShell([
      'export',
      at('kind.tar'),
      '--spec',
      put('kind', file.replaceAll(SHA, api.digest)),
      ...wanted,
    ])
    expect(made).toMatchObject({ code: 0 })
    const contents = await contentsOf(at('kind.tar'))
    expect(contents.filter((name) => name.startsWith(ONE))).toHaveLength(1)
    expect(await runShell(['verify', at('kind.tar')])).toMatchObject({ code: 0 })
    // What discover prints of it is the same list again.
    const found = await runShell(['discover', at('kind'), '--format', 'text'], { env: { PATH: folder } })
    if (found.code === 0) expect(found.stdout).toContain(ONE)
    else expect(found.stderr).toContain('there is no helm to render with')
    rmSync(at('kind.tar'))
  })

  it('says by name what it could not take, once for each reason', async () => {
    const list = `apiVersion: mirror.openshift.io/v2alpha1
kind: ImageSetConfiguration
mirror:
  additionalImages: [ { name: "${source.host}/shop/api:2.0.1" } ]
  operators: [ { catalog: "r.example/one:v1" }, { catalog: "r.example/two:v1" } ]
`
    const planned = await runShell(['plan', at('x.tar'), '--spec', put('set.yaml', list), '--no-prove'])
    expect(planned.code).toBe(0)
    expect(planned.stderr).toContain('2 operator catalogs are not carried: r.example/one:v1')
    expect(planned.stderr).toContain('r.example/two:v1')
  })
})
