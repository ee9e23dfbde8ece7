import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { buildImage, buildIndex, noise, pushImage, type BuiltImage } from '../support/images.ts'
import { startRegistry } from './registry.ts'

/** What a fixture is made of; the same shape always gives the same bytes. */
export interface Shape {
  readonly images: number
  /** Bytes of all distinct blobs, roughly. */
  readonly bytes: number
  /** Own layers of each image, besides those of its base; drawn between 2 and 7 when absent. */
  readonly layers?: number
  /** All of them alike. */
  readonly even?: boolean
  /** No shared bases. */
  readonly apart?: boolean
  readonly platforms?: readonly string[]
}

export interface BlobFile {
  readonly digest: string
  readonly file: string
  readonly size: number
}

export interface Fixture {
  /** Storage of a registry that holds it all, to be served read-only. */
  readonly storage: string
  /** `bench/app-07:1` */
  readonly images: readonly string[]
  /** Bytes of the distinct blobs, manifests included. */
  readonly bytes: number
  /** Files with the content of every blob that is no manifest, by digest. */
  readonly blobs: readonly BlobFile[]
  /** What has to be asked for at least: each distinct manifest and blob once, and each tag. */
  readonly needed: { readonly export: number; readonly import: number }
  /** A repository that has the blob. */
  repositoryOf(digest: string): string
}

const PLATFORMS = ['linux/amd64', 'linux/arm64']
/** Share of the bytes in common bases, and how they divide: a distribution, a runtime, a small one, … */
const BASES = [0.08, 0.05, 0.03, 0.01]

/** Builds the fixture in `folder`, or finds it there. */
export async function makeFixture(folder: string, shape: Shape): Promise<Fixture> {
  const storage = join(folder, 'storage')
  const card = join(folder, 'fixture.json')
  const key = JSON.stringify([CARD, shape])
  if (!existsSync(card) || (JSON.parse(await readFile(card, 'utf8')) as { key: string }).key !== key) {
    await mkdir(storage, { recursive: true })
    const made = await build(storage, shape)
    await writeFile(card, JSON.stringify({ key, ...made }))
  }
  const { images, manifests, homes, uploads, mounts } = JSON.parse(await readFile(card, 'utf8')) as Made
  const all = await blobsOf(storage)
  const blobs = all.filter(({ digest }) => !manifests.includes(digest))
  return {
    storage,
    images,
    bytes: all.reduce((sum, { size }) => sum + size, 0),
    blobs,
    needed: {
      // A tag is a manifest to get; children and blobs once each.
      export: images.length + (manifests.length - images.length) + blobs.length,
      // Is it there? once per tag; POST and PUT per blob, POST where it is mounted; PUT per manifest; one look back.
      import: images.length * 2 + uploads * 2 + mounts + manifests.length,
    },
    repositoryOf: (digest) => homes[digest] ?? '',
  }
}

// --- internal ---

interface Made {
  readonly images: readonly string[]
  readonly manifests: readonly string[]
  /** The first repository of each blob. */
  readonly homes: Readonly<Record<string, string>>
  /** Blobs, counted once per repository that has them: those that have to be sent, and those that can be mounted. */
  readonly uploads: number
  readonly mounts: number
}

/** Of the way a fixture is written down. */
const CARD = 2
/** Smaller blobs are sent sooner than a mount is waited for. */
const MOUNTED = 64 * 1024

async function build(storage: string, shape: Shape): Promise<Made> {
  const registry = await startRegistry({ storage })
  const platforms = shape.platforms ?? PLATFORMS
  const random = dice(7)
  const shared = shape.apart === true ? 0 : BASES.reduce((sum, part) => sum + part, 0)
  const bases = platforms.map((_, p) =>
    shape.apart === true
      ? [[]]
      : BASES.map((part, b) => [layer((shape.bytes * part) / platforms.length, 1 + b + 10 * p)]),
  )
  // Sizes of images are spread as in the wild: many small ones, few large.
  const weights = Array.from({ length: shape.images }, () => 0.1 + random() ** 3 * 4)
  const whole = weights.reduce((sum, weight) => sum + weight, 0)
  const own = shape.bytes * (1 - shared)
  const names: string[] = []
  const manifests: string[] = []
  const homes: Record<string, string> = {}
  let uploads = 0
  let mounts = 0
  try {
    for (const [at, weight] of weights.entries()) {
      const count = shape.layers ?? 2 + Math.floor(random() * 6)
      const parts = Array.from({ length: count }, () => (shape.even === true ? 1 : 0.02 + random() ** 4))
      const sum = parts.reduce((total, part) => total + part, 0)
      const children = platforms.map((platform, p): BuiltImage => {
        const size = (own * weight) / whole / platforms.length
        const layers = parts.map((part, n) => layer((size * part) / sum, 1000 + at * 100 + p * 50 + n))
        const kinds = bases[p] ?? [[]]
        const base = kinds[at % kinds.length] ?? []
        return buildImage([...base, ...layers], { platform })
      })
      const image = buildIndex(children)
      const name = `bench/app-${String(at).padStart(2, '0')}`
      await pushImage(`http://${registry.host}`, name, '1', image)
      names.push(`${name}:1`)
      manifests.push(image.digest, ...children.map(({ digest }) => digest))
      for (const { blobs } of children) {
        for (const [digest, { length }] of blobs) {
          if (homes[digest] === name) continue
          if (length >= MOUNTED && homes[digest] !== undefined) mounts += 1
          else uploads += 1
          homes[digest] ??= name
        }
      }
    }
  } finally {
    await registry.stop()
  }
  return { images: names, manifests, homes, uploads, mounts }
}

/** Numbers in [0, 1), the same each time. */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/**
 * A gzipped tar of noise, its deflate blocks stored: as valid as any, and made at the speed of memory.
 * https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4
 */
function layer(size: number, seed: number): Uint8Array {
  const content = noise(Math.max(512, Math.ceil(size / 512) * 512), seed)
  // An old-style tar header is not needed: nobody unpacks it, everybody only carries it.
  const blocks = Math.ceil(content.length / STORED)
  const out = new Uint8Array(10 + content.length + blocks * 5 + 8)
  const view = new DataView(out.buffer)
  out.set([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
  let to = 10
  for (let at = 0; at < content.length; at += STORED) {
    const length = Math.min(STORED, content.length - at)
    out[to] = at + length === content.length ? 1 : 0
    view.setUint16(to + 1, length, true)
    view.setUint16(to + 3, ~length & 0xffff, true)
    out.set(content.subarray(at, at + length), to + 5)
    to += 5 + length
  }
  view.setUint32(to, crc32(content), true)
  view.setUint32(to + 4, content.length, true)
  return out
}

const STORED = 65_535

async function blobsOf(storage: string): Promise<readonly BlobFile[]> {
  const root = join(storage, 'docker/registry/v2/blobs/sha256')
  const found: BlobFile[] = []
  for (const half of await readdir(root)) {
    for (const hex of await readdir(join(root, half))) {
      const file = join(root, half, hex, 'data')
      found.push({ digest: `sha256:${hex}`, file, size: (await stat(file)).size })
    }
  }
  return found
}
