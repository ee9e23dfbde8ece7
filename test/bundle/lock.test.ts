import { describe, expect, it } from 'vitest'
import { decodeLock, encodeLock, LOCK_FORMAT, type Lock } from '../../src/bundle/spec/lock-file.ts'
import { diffLock, formatChange, lockOf, pinnedBy } from '../../src/bundle/spec/lock.ts'
import type { ImageRoot, Root } from '../../src/bundle/format/root.ts'
import { digestOf, type Digest } from '../../src/oci/digest.ts'
import { walk } from '../../src/oci/graph.ts'
import { createMemorySource } from '../../src/oci/memory.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { selectPlatforms } from '../../src/oci/select.ts'
import { buildImage, buildIndex, layerOf, type BuiltImage } from '../support/images.ts'

const A: Digest = `sha256:${'a'.repeat(64)}`
const B: Digest = `sha256:${'b'.repeat(64)}`
const C: Digest = `sha256:${'c'.repeat(64)}`

const LOCK: Lock = {
  format: LOCK_FORMAT,
  name: 'small',
  version: '1.0.0',
  images: [
    {
      name: 'docker.io/library/busybox:latest',
      digest: A,
      bundled: B,
      platforms: { 'linux/amd64': B, 'linux/arm64': C },
    },
    { name: 'quay.io/team/app:1', digest: C, platforms: {} },
  ],
  charts: [{ name: 'cert-manager', version: 'v1.17.2', repository: 'https://charts.jetstack.io', digest: A }],
  files: [{ name: 'dashboard.json', digest: B, size: 12 }],
}

const describeManifest = ({ mediaType, digest, raw }: BuiltImage) => ({
  descriptor: { mediaType, digest, size: raw.length },
  raw,
})

async function imageRoot(name: string, image: BuiltImage, platforms?: readonly string[]): Promise<ImageRoot> {
  const source = createMemorySource()
  const add = (one: BuiltImage): void => {
    source.addManifest(describeManifest(one))
    one.children.forEach(add)
  }
  add(image)
  const whole = describeManifest(image)
  const raw = platforms === undefined ? whole : selectPlatforms(whole, platforms.map(parsePlatform)).index
  const common = { kind: 'image' as const, name, source, graph: await walk(source, raw) }
  return raw === whole ? common : { ...common, original: whole.descriptor }
}

describe('lockOf', () => {
  const child = (platform: string) => buildImage([layerOf({ platform })], { platform })
  const index = buildIndex(['linux/amd64', 'linux/arm64', 'linux/s390x'].map(child))

  it('pins the index of the source, the smaller one of the bundle, and each platform', async () => {
    const lone = child('linux/amd64')
    const file: Root = {
      kind: 'file',
      name: 'f',
      descriptor: { mediaType: 'application/octet-stream', digest: A, size: 3 },
      source: createMemorySource(),
    }
    const cut = await imageRoot('docker.io/library/z:1', index, ['linux/arm64', 'linux/amd64'])
    const roots = [
      file,
      cut,
      await imageRoot('docker.io/library/a:1', lone),
      await imageRoot('docker.io/library/m:1', index),
    ]
    const lock = lockOf({ name: 'small' }, roots)
    const [amd64, arm64, s390x] = index.children.map(({ digest }) => digest)
    expect(lock.images).toEqual([
      { name: 'docker.io/library/a:1', digest: lone.digest, platforms: {} },
      {
        name: 'docker.io/library/m:1',
        digest: index.digest,
        platforms: { 'linux/amd64': amd64, 'linux/arm64': arm64, 'linux/s390x': s390x },
      },
      {
        name: 'docker.io/library/z:1',
        digest: index.digest,
        bundled: cut.graph.root.descriptor.digest,
        platforms: { 'linux/amd64': amd64, 'linux/arm64': arm64 },
      },
    ])
    expect(lock.images[2]?.bundled).not.toBe(index.digest)
    expect(lock.files).toEqual([{ name: 'f', digest: A, size: 3 }])
    expect(encodeLock(lock)).toBe(encodeLock(lockOf({ name: 'small' }, roots.toReversed())))
    expect(decodeLock(encodeLock(lock), 'x.lock.json')).toEqual(lock)
  })
})

describe('the lock file', () => {
  it('is read back as it was written', () => {
    const text = encodeLock(LOCK)
    expect(decodeLock(text, 'small.lock.json')).toEqual(LOCK)
    expect(encodeLock(decodeLock(text, 'small.lock.json'))).toBe(text)
    expect(text.endsWith('}\n')).toBe(true)
  })

  const bound = { chart: 'web', version: '1', rendered: true, bindings: [], notLanded: [], unreachable: [] }
  const MADE: Lock = {
    ...LOCK,
    export: {
      platforms: ['linux/amd64'],
      groups: ['more'],
      referrers: true,
      spec: '# "a"\n\nimages: []\n',
      bound: [bound],
      proof: [{ chart: 'web', version: '1', boundCount: 2, open: [], accepted: [], failures: [] }],
    },
  }

  it('holds what an export was made with, a line a line', () => {
    const text = encodeLock(MADE)
    expect(decodeLock(text, 'small.lock.json')).toEqual(MADE)
    expect(JSON.parse(text)).toMatchObject({ export: { spec: ['# "a"', '', 'images: []', ''] } })
    expect(text.split('\n').filter((line) => line.includes('"chart":"web"'))).toHaveLength(2)
    const all: Lock = {
      ...MADE,
      export: { ...(MADE.export as NonNullable<Lock['export']>), platforms: 'all', bound: [], proof: [] },
    }
    expect(decodeLock(encodeLock(all), 'small.lock.json')).toEqual(all)
  })

  it.each([
    ['a line that is none', '"images: []"', '{}', /spec\[2\]: found something else, expected a line of text/],
    ['a choice that is none', '"referrers": true', '"referrers": 1', /referrers: found the number 1/],
    ['bindings that are none', '"notLanded":[]', '"notLanded":{}', /bound: .*image bindings/],
    ['a proof that is none', '"boundCount":2', '"boundCount":"2"', /proof: .*proof/],
    ['bindings that repeat themselves', '"rendered":true', '"rendered":true,"x":&a [1],"y":*a', /[aA]lias/],
    ['a choice too many', '"groups"', '"more": [], "groups"', /found the key "more"/],
  ])('with %s is refused', (_, from, to, words) => {
    const text = encodeLock(MADE).replace(from, to)
    expect(text).not.toBe(encodeLock(MADE))
    expect(() => decodeLock(text, 'small.lock.json')).toThrow(words)
  })

  it.each([
    [
      'another format',
      'ma-bundle-lock/2',
      'ma-bundle-lock/3',
      '2:13: format: found "ma-bundle-lock/3", expected ma-bundle-lock/2 or ma-bundle-lock/1',
    ],
    ['a slip in a key', '"images"', '"imagse"', 'did you mean images?'],
    ['a short digest', C, 'sha256:cc', 'not a sha256 digest: "sha256:cc"'],
    ['a digest of another algorithm', C, `sha512:${'c'.repeat(128)}`, 'not a sha256 digest'],
    [
      'the same image twice',
      'quay.io/team/app:1',
      'docker.io/library/busybox:latest',
      '"docker.io/library/busybox:latest" is listed twice',
    ],
    [
      'a size that is none',
      '"size": 12',
      '"size": -1',
      'found the number -1, expected a whole number of bytes',
    ],
    ['half a file', ',\n  "files"', '', 'not valid YAML'],
  ])('with %s is refused, with its place', (_, from, to, message) => {
    const text = encodeLock(LOCK).replace(from, to)
    expect(text).not.toBe(encodeLock(LOCK))
    expect(() => decodeLock(text, 'small.lock.json')).toThrow(
      expect.objectContaining({
        kind: 'usage',
        message: expect.stringContaining(message),
        next: 'write it again with ma-bundle lock',
      }),
    )
  })

  it('with a part missing is refused', () => {
    expect(() => decodeLock(`{"format": "${LOCK_FORMAT}"}`, 'small.lock.json')).toThrow(
      /the key "name" is missing\n.*the key "images" is missing\n.*the key "charts" is missing\n.*the key "files" is missing/,
    )
  })
})

describe('pinnedBy', () => {
  const pinned = pinnedBy(LOCK)

  it('finds images, charts and files by what the spec calls them', () => {
    expect(pinned('image', 'docker.io/library/busybox:latest')).toBe(A)
    expect(pinned('chart', 'cert-manager:v1.17.2')).toBe(A)
    expect(pinned('chart', 'cert-manager:1.17.2')).toBe(A)
    expect(pinned('file', 'dashboard.json')).toBe(B)
  })

  it('knows nothing of the rest', () => {
    expect(pinned('image', 'docker.io/library/busybox:1.36')).toBeUndefined()
    expect(pinned('chart', 'cert-manager:1.18.0')).toBeUndefined()
    expect(pinned('file', 'cert-manager')).toBeUndefined()
  })
})

describe('diffLock', () => {
  const [busybox, app] = LOCK.images
  if (busybox === undefined || app === undefined) throw new Error('no images')

  it('finds nothing between equal locks', () => {
    expect(diffLock(LOCK, decodeLock(encodeLock(LOCK), 'x'))).toEqual([])
  })

  it('tells what moved, came and went, in lines for people', () => {
    const after: Lock = {
      ...LOCK,
      images: [
        { ...busybox, digest: C, platforms: { ...busybox.platforms, 'linux/arm64': A, 'linux/s390x': A } },
        { name: 'quay.io/team/new:2', digest: B, platforms: {} },
      ],
      charts: [
        { name: 'cert-manager', version: 'v1.18.0', repository: 'https://charts.jetstack.io', digest: B },
      ],
      files: [{ name: 'dashboard.json', digest: digestOf('new'), size: 3 }],
    }
    expect(diffLock(LOCK, after).map(formatChange)).toEqual([
      `~ image docker.io/library/busybox:latest  ${A} → ${C}  (linux/arm64, linux/s390x)`,
      `- image quay.io/team/app:1  ${C}`,
      `+ image quay.io/team/new:2  ${B}`,
      `- chart cert-manager:v1.17.2  ${A}`,
      `+ chart cert-manager:v1.18.0  ${B}`,
      `~ file dashboard.json  ${B} → ${digestOf('new')}`,
    ])
  })

  it('tells when the same index is bundled for other platforms', () => {
    const after = { ...LOCK, images: [{ ...busybox, platforms: { 'linux/amd64': B } }, app] }
    const changes = diffLock(LOCK, after)
    expect(changes).toEqual([
      { kind: 'image', name: busybox.name, before: A, after: A, platforms: ['linux/arm64'] },
    ])
    expect(changes.map(formatChange)).toEqual([`~ image ${busybox.name}  ${A}  (linux/arm64)`])
  })
})
