import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../src/oci/digest.ts'
import { buildImage, buildIndex, layerOf, type BuiltImage } from '../support/images.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { runShell } from '../support/shell.ts'
import { END, paxRecords, tarEntry, tarOf, type RawEntry } from '../support/tar-bytes.ts'
import { measured } from './measured.ts'

let folder: string
let small: SmallBundle
let registry: DockerRegistry
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hostile-tars-'))
  ;[small, registry] = await Promise.all([makeSmallBundle(), startDockerRegistry()])
})
afterAll(async () => {
  await Promise.all([small.remove(), registry.stop()])
  rmSync(folder, { recursive: true })
})

const file = (): string => join(folder, 'evil.tar')
const listing = (): readonly string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted()

/** Every command that opens a bundle ends in one refusal, writes nothing and asks no registry. */
async function refused(words: RegExp, commands = ['inspect', 'verify', 'import']): Promise<void> {
  const before = listing()
  for (const command of commands) {
    const more =
      command === 'import' ? ['--registry', '127.0.0.1:1', '--values', join(folder, 'values.yaml')] : []
    const { code, stdout, stderr } = await runShell([command, file(), ...more])
    expect(stderr).toMatch(words)
    expect(stderr.match(/^error: /gm)).toHaveLength(1)
    expect(stderr).not.toContain('bug in ma-bundle')
    expect(stderr).not.toContain(folder)
    expect({ command, code, stdout }).toEqual({ command, code: 5, stdout: '' })
  }
  expect(listing()).toEqual(before)
}

/** An OCI layout as another tool writes it, and what is hostile in it. */
function layout(image: BuiltImage, extra: readonly RawEntry[] = [], name = 'quay.io/a/b:1'): Uint8Array {
  const all = (one: BuiltImage): [string, Uint8Array][] => [
    [one.digest, one.raw],
    ...one.blobs,
    ...one.children.flatMap(all),
  ]
  const { mediaType, digest, raw } = image
  const annotations = { 'org.opencontainers.image.ref.name': name }
  return tarOf(
    { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    {
      path: 'index.json',
      content: JSON.stringify({
        schemaVersion: 2,
        manifests: [{ mediaType, digest, size: raw.length, annotations }],
      }),
    },
    ...[...new Map(all(image))].map(([of, content]) => ({
      path: `blobs/sha256/${of.slice('sha256:'.length)}`,
      content,
    })),
    ...extra,
  )
}

const image = buildImage([layerOf({ a: 'x' })])

describe('a tar is refused when it holds', () => {
  it.each<[string, RawEntry, RegExp]>([
    ['a name that climbs out', { path: '../../evil', content: 'x' }, /points outside/],
    ['a name that climbs out in the middle', { path: 'blobs/../../evil', content: 'x' }, /points outside/],
    ['a name that climbs out by backslashes', { path: 'blobs\\..\\evil', content: 'x' }, /points outside/],
    ['an absolute name', { path: '/tmp/ma-bundle-evil', content: 'x' }, /points outside/],
    ['a symbolic link', { path: 'evil', type: '2', link: '/etc/passwd' }, /is of type SymbolicLink/],
    ['a hard link', { path: 'evil', type: '1', link: '../../etc/passwd' }, /is of type Link/],
    ['a character device', { path: 'evil', type: '3' }, /is of type CharacterDevice/],
    ['a block device', { path: 'evil', type: '4' }, /is of type BlockDevice/],
    ['a pipe', { path: 'evil', type: '6' }, /is of type FIFO/],
    ['an unknown type', { path: 'evil', type: 'Z' }, /is of type/],
    ['a GNU sparse file', { path: 'evil', type: 'S', content: 'x' }, /is of type SparseFile/],
    ['a name that appears twice', { path: 'oci-layout', content: '{}' }, /appears twice/],
    ['the same name with ./', { path: './oci-layout', content: '{}' }, /appears twice/],
    ['a negative size', { path: 'evil', size: '-0000000777' }, /impossible size/],
    ['a negative size in base 256', { path: 'evil', size: '\xff'.repeat(12) }, /impossible size/],
    [
      'a size beyond all numbers',
      { path: 'evil', size: `\x80${'\xff'.repeat(11)}` },
      /header at byte \d+ is damaged/,
    ],
    ['no size at all', { path: 'evil', size: ' '.repeat(12) }, /impossible size/],
    ['a size that lies', { path: 'evil', size: 8 ** 11 - 1 }, /is cut off: it has \d+ bytes and needs/],
    ['a pax record that goes on for ever', { path: 'x', type: 'x', content: '99 path=a\n' }, /pax extension/],
    ['a pax record without length', { path: 'x', type: 'x', content: 'path=a\n' }, /pax extension/],
    ['a pax record of length 0', { path: 'x', type: 'x', content: '0 path=a\n' }, /pax extension/],
    [
      'a pax size that is negative',
      { path: 'x', type: 'x', content: paxRecords({ size: '-1' }) },
      /pax extension/,
    ],
    [
      'a pax size beyond all numbers',
      { path: 'x', type: 'x', content: paxRecords({ size: '9'.repeat(30) }) },
      /pax/,
    ],
    [
      'a global pax name',
      { path: 'g', type: 'g', content: paxRecords({ path: 'index.json' }) },
      /global extension/,
    ],
    [
      'a pax extension of 2 MiB',
      { path: 'x', type: 'x', content: new Uint8Array(2 ** 21) },
      /has 2097152 bytes/,
    ],
  ])('%s', async (_, entry, words) => {
    writeFileSync(file(), layout(image, [entry]))
    await refused(words)
  })

  it.each<[string, readonly RawEntry[], RegExp]>([
    [
      'a long name that climbs out',
      [
        { path: 'x', type: 'x', content: paxRecords({ path: '../../evil' }) },
        { path: 'fine', content: 'x' },
      ],
      /points outside/,
    ],
    [
      'a GNU long name that climbs out',
      [
        { path: '././@LongLink', type: 'L', content: '/etc/cron.d/evil\0' },
        { path: 'fine', content: 'x' },
      ],
      /points outside/,
    ],
    [
      'a pax sparse file',
      [
        {
          path: 'x',
          type: 'x',
          content: paxRecords({ 'GNU.sparse.major': '1', 'GNU.sparse.realsize': '99999999' }),
        },
        { path: 'fine', content: 'x' },
      ],
      /is sparse/,
    ],
    [
      'a pax size that lies',
      [
        { path: 'x', type: 'x', content: paxRecords({ size: '999999999' }) },
        { path: 'fine', content: 'x' },
      ],
      /is cut off/,
    ],
    [
      'a long name over one that is there',
      [
        { path: 'x', type: 'x', content: paxRecords({ path: 'index.json' }) },
        { path: 'fine', content: '{}' },
      ],
      /appears twice/,
    ],
  ])('%s', async (_, entries, words) => {
    writeFileSync(file(), layout(image, entries))
    await refused(words)
  })

  it('a name of a root that is no reference', async () => {
    for (const name of ['../../../etc/passwd', '-x/y:1', 'quay.io/a/b:1?x=y', `a/${'b'.repeat(500)}`]) {
      writeFileSync(file(), layout(image, [], name))
      await refused(/lists an image that cannot be/)
    }
  })

  it('a digest of another algorithm or form', async () => {
    const index = (digest: string): string =>
      JSON.stringify({
        schemaVersion: 2,
        manifests: [
          {
            mediaType: image.mediaType,
            digest,
            size: 1,
            annotations: { 'org.opencontainers.image.ref.name': 'quay.io/a/b:1' },
          },
        ],
      })
    for (const digest of [`sha512:${'a'.repeat(128)}`, `sha256:${'A'.repeat(64)}`, 'sha256:../../evil', '']) {
      writeFileSync(
        file(),
        tarOf({ path: 'oci-layout', content: '{}' }, { path: 'index.json', content: index(digest) }),
      )
      await refused(/not a sha256 digest/)
    }
  })
})

describe('an image of a layout', () => {
  /** A root whose manifest is this value. */
  const manifest = (value: unknown, mediaType: string): BuiltImage => {
    const raw = new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))
    return { mediaType, raw, digest: digestOf(raw), blobs: new Map(), children: [] }
  }
  const importing = (): ReturnType<typeof runShell> =>
    runShell(['import', file(), '--registry', registry.host, '--values', join(folder, 'values.yaml')])

  async function neverTagged(words: RegExp): Promise<void> {
    const before = listing()
    const { code, stderr } = await importing()
    expect(stderr).toMatch(words)
    expect(stderr).not.toContain('bug in ma-bundle')
    expect(code).toBe(5)
    const tags = await fetch(`http://${registry.host}/v2/mirrored/quay.io/a/b/manifests/1`)
    expect(tags.status).toBe(404)
    expect(listing()).toEqual(before)
  }

  it('is refused when indexes are nested deeper than any real one', async () => {
    let nested = image
    for (let depth = 0; depth < 12; depth += 1) nested = buildIndex([nested])
    writeFileSync(file(), layout(nested))
    await neverTagged(/nested more than 8 deep/)
  })

  it('is refused when an index names itself by a digest that cannot be', async () => {
    const path = `blobs/sha256/${'0'.repeat(64)}`
    const digest = `sha256:${'0'.repeat(64)}` as const
    const mediaType = 'application/vnd.oci.image.index.v1+json'
    const raw = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [{ mediaType, digest, size: 200 }] })
    const annotations = { 'org.opencontainers.image.ref.name': 'quay.io/a/b:1' }
    const index = JSON.stringify({ manifests: [{ mediaType, digest, size: raw.length, annotations }] })
    writeFileSync(
      file(),
      tarOf(
        { path: 'oci-layout', content: '{}' },
        { path: 'index.json', content: index },
        { path, content: raw },
      ),
    )
    await neverTagged(/its digest is/)
  })

  it.each<[string, unknown, RegExp]>([
    ['no JSON', 'manifest', /unknown media type|not a JSON object/],
    ['JSON that nests a million deep', '['.repeat(1_000_000), /not a JSON object|unknown media type/],
    ['a layer without digest', { config: {}, layers: [{}] }, /is not a descriptor/],
    [
      'a layer of another algorithm',
      {
        config: { mediaType: 'a', digest: digestOf('x'), size: 1 },
        layers: [{ mediaType: 'a', digest: `sha512:${'a'.repeat(128)}`, size: 1 }],
      },
      /is not a descriptor/,
    ],
    [
      'a layer of negative size',
      { config: { mediaType: 'a', digest: digestOf('x'), size: -1 }, layers: [] },
      /is not a descriptor/,
    ],
    [
      'layers that are no list',
      { config: { mediaType: 'a', digest: digestOf('x'), size: 1 }, layers: {} },
      /not a list/,
    ],
    [
      'a layer that is not in the tar',
      { config: { mediaType: 'a', digest: digestOf('x'), size: 1 }, layers: [] },
      /is not in the bundle/,
    ],
  ])('is refused when its manifest holds %s', async (_, value, words) => {
    writeFileSync(file(), layout(manifest(value, 'application/vnd.oci.image.manifest.v1+json')))
    await neverTagged(words)
  })

  it('is refused when a blob has another size than its manifest says', async () => {
    const honest = JSON.parse(new TextDecoder().decode(image.raw)) as { layers: { size: number }[] }
    for (const layer of honest.layers) layer.size += 1
    const lying = { ...manifest(honest, image.mediaType), blobs: image.blobs }
    writeFileSync(file(), layout(lying))
    await neverTagged(/has \d+ bytes in the bundle, its manifest says/)
  })

  it('is refused when a blob is not what its name says', async () => {
    const bytes = Buffer.from(layout(image))
    const [layer = new Uint8Array()] = [...image.blobs.values()].slice(1)
    bytes[bytes.indexOf(Buffer.from(layer)) + layer.length - 1] = 0xee
    writeFileSync(file(), bytes)
    await neverTagged(/its digest is/)
  })

  it('is refused when its manifest has 100 MB', async () => {
    const raw = Buffer.alloc(100_000_000, ' ')
    raw.write('{}')
    const mediaType = 'application/vnd.oci.image.manifest.v1+json'
    writeFileSync(file(), layout({ mediaType, raw, digest: digestOf(raw), blobs: new Map(), children: [] }))
    await neverTagged(/registries take 4 MiB/)
  })
})

describe('memory and time stay bounded for', () => {
  /** A file whose first entry claims `size` bytes and has them, as a hole. */
  function sparse(path: string, size: number): void {
    const header = tarEntry({ path, size }).subarray(0, 512)
    writeFileSync(file(), header)
    truncateSync(file(), 512 + size + 1024)
  }

  async function bounded(
    words: RegExp,
    code: number,
    mebibytes: number,
    commands = ['inspect', 'verify'],
  ): Promise<void> {
    for (const command of commands) {
      const outcome = await measured([command, file()], folder)
      expect(outcome.stderr).toMatch(words)
      expect(outcome.code).toBe(code)
      expect(outcome.peak).toBeLessThan(mebibytes)
    }
  }

  it('a bundle.json of 2 GB', async () => {
    sparse('bundle.json', 2_000_000_000)
    await bounded(/"bundle.json" claims 2000000000 bytes/, 5, 300)
  })

  it('an index.json of 200 MB', async () => {
    writeFileSync(
      file(),
      Buffer.concat([
        tarEntry({ path: 'oci-layout', content: '{}' }),
        tarEntry({ path: 'index.json', content: Buffer.alloc(200_000_000, 0x20) }),
        END,
      ]),
    )
    await bounded(/"index.json" has 200000000 bytes/, 5, 300)
  })

  it('millions of empty entries', async () => {
    const one = Buffer.from(tarEntry({ path: 'directory', type: '5' }))
    const block = Buffer.concat(Array.from({ length: 10_000 }, () => one))
    rmSync(file(), { force: true })
    for (let written = 0; written < 100; written += 1) writeFileSync(file(), block, { flag: 'a' })
    await bounded(/more than 200000 entries/, 5, 400, ['inspect'])
  })

  it('a table of two million entries', async () => {
    const line = '["blobs/sha256/aa",0],\n'.repeat(2_000_000)
    const table = `{"format":"ma-bundle/1","name":"x","spec":"","roots":[],"entries":[\n${line}["oci-layout",0]]}`
    writeFileSync(file(), tarOf({ path: 'bundle.json', content: table }))
    await bounded(/bundle.json/, 5, 900, ['inspect'])
  })

  it('JSON of 60 MB that nests as deep as it is long', async () => {
    writeFileSync(file(), tarOf({ path: 'bundle.json', content: Buffer.alloc(60_000_000, '[') }))
    await bounded(/bundle.json is damaged: it is not JSON/, 5, 600, ['inspect'])
  })
})

describe('tars that other tools wrote in good faith are imported', () => {
  const outcome = async (path: string) => {
    const target = await startDockerRegistry()
    try {
      const run = await runShell([
        'import',
        path,
        '--registry',
        target.host,
        '--values',
        join(folder, 'ok.yaml'),
      ])
      const digestAt = async (repository: string, tag: string): Promise<string | null> =>
        (
          await fetch(`http://${target.host}/v2/${repository}/manifests/${tag}`, {
            method: 'HEAD',
            headers: {
              accept: 'application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json',
            },
          })
        ).headers.get('docker-content-digest')
      const host = small.source.host.replace(':', '-')
      return {
        code: run.code,
        stderr: run.stderr,
        one: await digestAt(`mirrored/${host}/team/one`, '1'),
        two: await digestAt(`mirrored/${host}/team/two`, '2'),
        chart: await digestAt('charts/web', '1.2.3'),
        skopeo: await digestAt('mirrored/quay.io/team/two', '2'),
      }
    } finally {
      await target.stop()
    }
  }
  const unpacked = (): string => {
    const to = join(folder, 'unpacked')
    rmSync(to, { recursive: true, force: true })
    mkdirSync(to)
    execFileSync('tar', ['xf', small.file, '-C', to])
    return to
  }
  const want = () => ({
    code: 0,
    one: small.images['team/one:1']?.digest,
    two: small.images['team/two:2']?.digest,
  })

  it.each([
    ['tar', ['--format=gnu']],
    ['tar', ['--format=pax']],
    ['tar', ['--format=posix', '--pax-option=delete=atime,globexthdr.name=x']],
    ['tar', ['--format=ustar']],
    ['tar', ['--format=v7']],
    ['bsdtar', ['--format=pax']],
    ['bsdtar', ['--format=gnutar']],
  ])('our bundle, unpacked and packed by %s %j', async (program, flags) => {
    const from = unpacked()
    const to = join(folder, 'repacked.tar')
    execFileSync(program, [...flags, '-cf', to, '-C', from, '.'])
    const found = await outcome(to)
    expect(found).toMatchObject(want())
    expect(found.chart).not.toBeNull()
    expect((await runShell(['verify', to])).stdout).toContain('is whole')
    // With the names as they were, bundle.json first.
    const names = execFileSync('tar', ['tf', small.file]).toString().trim().split('\n')
    execFileSync(program, [...flags, '-cf', to, '-C', from, ...names])
    expect(await outcome(to)).toMatchObject(want())
    expect((await runShell(['inspect', to])).code).toBe(0)
  })

  it('a repacked bundle that lost a file, or got another in its place', async () => {
    const from = unpacked()
    rmSync(join(from, 'lock.json'))
    const to = join(folder, 'repacked.tar')
    execFileSync('tar', ['-cf', to, '-C', from, '.'])
    expect((await runShell(['inspect', to])).stderr).toMatch(
      /"lock.json" should have \d+ bytes and is not there/,
    )
    const again = unpacked()
    const blob = small.images['team/two:2']?.digest ?? 'sha256:'
    const path = join(again, 'blobs/sha256', hexOf(blob))
    const bytes = readFileSync(path)
    bytes[bytes.length - 2] = 0x20
    rmSync(path)
    writeFileSync(path, bytes)
    execFileSync('tar', ['-cf', to, '-C', again, '.'])
    const verified = await runShell(['verify', to])
    expect(verified.code).toBe(5)
    expect(verified.stdout).toContain(hexOf(blob))
    expect(await outcome(to)).toMatchObject({ code: 5, two: null })
  })

  it("skopeo's oci-archive, with the name given there", async () => {
    const to = join(folder, 'skopeo.tar')
    rmSync(to, { force: true })
    const from = `oci-archive:${small.file}:${small.source.host}/team/two:2`
    execFileSync('skopeo', ['copy', '-q', '--insecure-policy', from, `oci-archive:${to}:quay.io/team/two:2`])
    const found = await outcome(to)
    expect(found).toMatchObject({ code: 0 })
    expect(found.skopeo).toBe(small.images['team/two:2']?.digest)
  })
})
