import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { digestOf } from '../../src/oci/digest.ts'
import { fakeProgram } from '../support/elf.ts'
import { buildImage, buildIndex, layerOf, noise } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

const { version } = manifest
const NAME = `localhost/ma-bundle:${version}`
const programs = {
  amd64: fakeProgram({ version, platform: 'linux/amd64' }),
  arm64: fakeProgram({ version, platform: 'linux/arm64' }, 900_001),
}
const libraries = (seed: number): Uint8Array => layerOf({ 'lib/libc.so.6': noise(3000, seed) })
const base = (seed: number, docker = false) =>
  buildIndex(
    [
      buildImage([libraries(seed)], { platform: 'linux/amd64', docker }),
      buildImage([libraries(seed + 1)], { platform: 'linux/arm64', docker }),
      buildImage([libraries(seed + 2)], { platform: 'linux/s390x', docker }),
    ],
    { docker },
  )

let folder: string
let dist: string
let source: EmbeddedSource
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'with-image-'))
  dist = mkdtempSync(join(folder, 'dist-'))
  for (const [machine, content] of Object.entries(programs))
    writeFileSync(join(dist, `ma-bundle-linux-${machine}`), content)
  source = await startSource({
    images: {
      'base/glibc:1': base(1),
      'base/docker:1': base(11, true),
      'base/lone:1': buildImage([libraries(21)], { platform: 'linux/amd64' }),
      'team/one:1': buildImage([libraries(31)]),
    },
  })
  writeFileSync(at('images.txt'), `${source.host}/team/one:1\n`)
})
afterAll(async () => {
  await source.stop()
  rmSync(folder, { recursive: true, force: true })
})

const at = (name: string): string => join(folder, name)
const from = (name: string): readonly string[] => ['--image-base', `${source.host}/base/${name}`]
const platforms = ['--platform', 'linux/amd64']
const exported = (name: string, ...flags: readonly string[]): Promise<Outcome> =>
  runShell(['export', at(name), '--spec', at('images.txt'), ...platforms, '--cli-from', dist, ...flags])
const blob = async (bundle: string, digest: string): Promise<Buffer> =>
  (await runProgram('tar', ['xOf', at(bundle), `blobs/sha256/${digest.slice(7)}`])).stdout
const jsonOf = async <Shape>(bundle: string, digest: string): Promise<Shape> =>
  JSON.parse((await blob(bundle, digest)).toString()) as Shape

interface Described {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly platform?: { readonly architecture: string }
}
interface Config {
  readonly architecture: string
  readonly config: Readonly<Record<string, unknown>>
  readonly rootfs: { readonly diff_ids: readonly string[] }
}

async function imageIn(bundle: string): Promise<Described> {
  const { json } = await runShell(['inspect', at(bundle), '--json'])
  const result = json.at(-1)?.['result'] as { roots: (Described & { name: string })[] } | undefined
  const found = result?.roots.find(({ name }) => name === NAME)
  if (found === undefined) throw new Error(`${NAME} is not in ${bundle}`)
  return found
}
const childrenOf = async (bundle: string): Promise<readonly Described[]> =>
  (await jsonOf<{ manifests: Described[] }>(bundle, (await imageIn(bundle)).digest)).manifests
async function partsOf(bundle: string, child: Described) {
  const made = await jsonOf<{ mediaType: string; config: Described; layers: Described[] }>(
    bundle,
    child.digest,
  )
  return { ...made, config: await jsonOf<Config>(bundle, made.config.digest) }
}

describe('export --with-image', () => {
  it('puts the program of each machine on the layers of the base, as a user that is not root', async () => {
    const { code, stdout } = await exported('both.tar', '--with-image', ...from('glibc:1'))
    expect(code).toBe(0)
    expect(stdout).toContain(`Carries an image of ma-bundle for linux/amd64 and linux/arm64 along: ${NAME}.`)
    const children = await childrenOf('both.tar')
    expect(children.map(({ platform }) => platform?.architecture)).toEqual(['amd64', 'arm64'])
    for (const [nth, child] of children.entries()) {
      const { config, layers } = await partsOf('both.tar', child)
      const [below, own] = layers
      expect(below?.digest).toBe(digestOf(libraries(nth + 1)))
      expect(config.config).toMatchObject({
        User: '65532:65532',
        Entrypoint: ['/usr/local/bin/ma-bundle'],
        WorkingDir: '/tmp',
      })
      expect(config.rootfs.diff_ids).toEqual([
        digestOf(Bun.gunzipSync(new Uint8Array(libraries(nth + 1)))),
        own?.digest,
      ])
      const layer = await blob('both.tar', own?.digest ?? '')
      writeFileSync(at('layer.tar'), layer)
      const { stdout: listing } = await runProgram('tar', ['tvf', at('layer.tar')])
      expect(listing.toString().match(/^-rwxr-xr-x 0\/0 .* usr\/local\/bin\/ma-bundle$/gm)).toHaveLength(1)
      const { stdout: inside } = await runProgram('tar', ['xOf', at('layer.tar'), 'usr/local/bin/ma-bundle'])
      expect(digestOf(inside)).toBe(digestOf(nth === 0 ? programs.amd64 : programs.arm64))
    }
    expect(await runShell(['verify', at('both.tar')])).toMatchObject({ code: 0 })
  })

  it('makes the same bytes again, from the same flags and from the lock alone, though the tag has moved', async () => {
    await exported('first.tar', '--with-image=arm64,amd64', ...from('glibc:1'))
    await exported('second.tar', '--with-image', 'amd64,arm64', ...from('glibc:1'))
    const bytes = readFileSync(at('first.tar'))
    expect(Buffer.compare(readFileSync(at('second.tar')), bytes)).toBe(0)
    source.replace('base/glibc:1', base(41))
    try {
      const lock = ['--lock', at('first.tar.lock.json')]
      const replayed = await runShell(['export', at('replayed.tar'), ...lock, '--cli-from', dist])
      expect(replayed).toMatchObject({ code: 0 })
      expect(Buffer.compare(readFileSync(at('replayed.tar')), bytes)).toBe(0)
      const again = await exported('again.tar', ...lock, '--with-image', ...from('glibc:1'))
      expect(again.code).toBe(0)
      expect(Buffer.compare(readFileSync(at('again.tar')), bytes)).toBe(0)
    } finally {
      source.replace('base/glibc:1', base(1))
    }
  })

  it('counts the base as fetched, and not the program', async () => {
    const { json } = await exported('counted.tar', '--with-image=amd64', ...from('glibc:1'), '--json')
    const plain = await runShell([
      'export',
      at('plain.tar'),
      '--spec',
      at('images.txt'),
      ...platforms,
      '--json',
    ])
    const fetched = (lines: Outcome['json']) =>
      (lines.at(-1)?.['result'] as { readonly fetched: number } | undefined)?.fetched ?? Number.NaN
    const more = fetched(json) - fetched(plain.json)
    expect(more).toBeGreaterThanOrEqual(libraries(1).length)
    expect(more).toBeLessThan(libraries(1).length + 10_000)
    expect(json.at(-1)?.['result']).toMatchObject({
      image: { name: NAME, base: `${source.host}/base/glibc:1`, platforms: ['linux/amd64'] },
    })
  })

  it('takes a base in the media types of Docker, and one without an index', async () => {
    await exported('docker.tar', '--with-image', ...from('docker:1'))
    for (const child of await childrenOf('docker.tar')) {
      const { mediaType, layers } = await partsOf('docker.tar', child)
      expect([mediaType, ...layers.map((layer) => layer.mediaType)]).toEqual([
        'application/vnd.oci.image.manifest.v1+json',
        'application/vnd.oci.image.layer.v1.tar+gzip',
        'application/vnd.oci.image.layer.v1.tar',
      ])
    }
    expect(await exported('lone.tar', '--with-image=amd64', ...from('lone:1'))).toMatchObject({ code: 0 })
    expect(await childrenOf('lone.tar')).toHaveLength(1)
  })

  it('leaves a bundle without it as it was', async () => {
    await runShell(['export', at('without.tar'), '--spec', at('images.txt'), ...platforms])
    expect(readFileSync(at('without.tar.lock.json'), 'utf8')).not.toContain('"image"')
  })
})

describe('export --with-image refuses', () => {
  it('a base that is not there for the machine', async () => {
    const { code, stderr } = await exported('no.tar', '--with-image', ...from('lone:1'))
    expect(code).not.toBe(0)
    expect(stderr).toContain('linux/arm64')
  })

  it('a base that is nowhere, by its name', async () => {
    const { code, stderr } = await exported('no.tar', '--with-image', ...from('none:1'))
    expect(code).not.toBe(0)
    expect(stderr).toContain('base/none:1')
  })

  it('a machine that there is no program for, and says how to do without; that works', async () => {
    const only = join(dist, 'ma-bundle-linux-amd64')
    const run = (flag: string) =>
      runShell([
        'export',
        at('only.tar'),
        '--spec',
        at('images.txt'),
        flag,
        ...from('glibc:1'),
        ...platforms,
        '--cli-from',
        only,
      ])
    const { code, stderr } = await run('--with-image')
    expect(code).toBe(2)
    expect(stderr).toContain('flag --with-image')
    expect(stderr).toContain('--with-image=<amd64|arm64>')
    expect(await run('--with-image=amd64')).toMatchObject({ code: 0 })
  })

  it('a lock whose program is another one, by the name of the image', async () => {
    await exported('pinned.tar', '--with-image=amd64', ...from('glibc:1'))
    const other = at('ma-bundle-linux-amd64')
    writeFileSync(other, fakeProgram({ version, platform: 'linux/amd64' }, 700_000))
    const lock = ['--lock', at('pinned.tar.lock.json')]
    const changed = await runShell(['export', at('no.tar'), ...lock, '--cli-from', other])
    expect(changed.code).toBe(5)
    expect(changed.stderr).toContain(`image ${NAME}`)
    rmSync(other)
    const none = await runShell(['export', at('no.tar'), ...lock, '--cli-from', at('images.txt')])
    expect(none.code).toBe(2)
    expect(none.stderr).toContain('flag --lock')
  })

  it('a base without the image', async () => {
    const { code, stderr } = await runShell(['export', at('no.tar'), 'a:1', ...from('glibc:1')])
    expect(code).toBe(2)
    expect(stderr).toContain('--image-base is given without --with-image')
  })
})
