import { dirname } from 'node:path'
import { usageError } from '../../lib/errors.ts'
import type { RawManifest } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { digestOf, type Digest } from '../../oci/digest.ts'
import { walk, type GraphNode } from '../../oci/graph.ts'
import { isObject, parseObject } from '../../oci/manifest.ts'
import { isIndex, OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../oci/media-types.ts'
import { createMemorySource, type MemorySource } from '../../oci/memory.ts'
import { matchesPlatform, parsePlatform } from '../../oci/platform.ts'
import { formatReference, type Reference } from '../../oci/reference.ts'
import type { ImporterProgram } from '../format/importer.ts'
import type { ImageRoot } from '../format/root.ts'
import type { LockedOwnImage } from '../spec/lock-export.ts'
import type { SpecImage } from '../spec/spec.ts'
import { collectRoots, type CollectOptions } from './collect.ts'
import { createMirrorLog, fetchWhole } from './mirrored.ts'
import { PROGRAM_FILE, programLayer, type ProgramLayer } from './program-layer.ts'

/** An image of this program to make, one platform a program. */
export interface OwnImage {
  /** What lies below the program: an image with a C library (glibc 2.17 or newer). */
  readonly base: Reference
  /** What the base stood for when the lock was written. */
  readonly locked?: Digest
  readonly programs: readonly ImporterProgram[]
}

/** An image of this program, made. */
export interface BuiltOwnImage {
  readonly root: ImageRoot
  readonly locked: LockedOwnImage
}

/** What is made here has no registry; engines that build call theirs the same. */
export const ownImageName = (version: string): string => `localhost/ma-bundle:${version}`

export const baseImage = ({ base }: Pick<OwnImage, 'base'>): SpecImage => ({
  reference: base,
  allowMissingPlatforms: false,
})

/**
 * Puts the program on its base, for each platform: the base's layers as they are, and one more. Equal programs on an
 * equal base make equal bytes.
 * @throws usage and integrity errors for a base that cannot be built on, FailuresError for one that could not be fetched
 */
export async function buildOwnImage(
  { base, locked: pinned, programs }: OwnImage,
  options: CollectOptions,
): Promise<BuiltOwnImage> {
  const { session } = options
  const platforms = programs.map(({ platform }) => parsePlatform(platform))
  const [below] = await collectRoots(
    [],
    {
      ...options,
      platforms,
      allowMissingPlatforms: false,
      referrers: false,
      dropAttestations: true,
      locked: () => undefined,
    },
    // By its digest, the base of a lock is there although its tag has moved on, as tags of bases do.
    [{ ...baseImage({ base }), as: base, reference: { ...base, ...(pinned && { digest: pinned }) } }],
  )
  if (below?.kind !== 'image') throw new Error('the base is no image')
  const memory = createMemorySource(below.source)
  const layers = new Map<Digest, ProgramLayer>()
  const children: Descriptor[] = []
  const known: Base = {
    root: below,
    name: formatReference(base),
    digest: (below.original ?? below.graph.root.descriptor).digest,
    contentOf: (target) =>
      fetchWhole(
        [below.source, ...(below.alternatives ?? [])].map((source) => ({ source })),
        target,
        below.name,
        createMirrorLog(session.emit),
      ),
  }
  for (const program of programs) {
    const layer = await programLayer(program, session.signal)
    layers.set(layer.descriptor.digest, layer)
    children.push(await addImage(program, layer.descriptor, known, memory))
  }
  const [version = ''] = programs.map((program) => program.version)
  const index = manifest(OCI_INDEX, {
    manifests: children,
    annotations: annotationsOf(version, known),
  })
  memory.addManifest(index)
  const name = ownImageName(version)
  const root: ImageRoot = {
    kind: 'image',
    name,
    source: {
      ...memory,
      fetch: (target, start = 0) => {
        const layer = layers.get(target.digest)
        return layer === undefined ? memory.fetch(target, start) : Promise.resolve(layer.open(start))
      },
    },
    alternatives: below.alternatives ?? [],
    graph: await walk(memory, index, name),
    made: [...layers.keys()],
  }
  const locked = {
    name,
    base: known.name,
    digest: known.digest,
    platforms: programs.map(({ platform }) => platform),
  }
  return { root, locked }
}

// --- internal ---

interface Base {
  readonly root: ImageRoot
  readonly name: string
  readonly digest: Digest
  readonly contentOf: (target: Descriptor) => Promise<Uint8Array>
}

/** Real configs have kilobytes. */
const CONFIG_LIMIT = 4 * 1024 * 1024

/** What engines give an image that says nothing of its environment. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** The user `nonroot` of distroless images, which needs no entry in any file. */
const USER = '65532:65532'

/** Made at no time, so that it is the same image whenever it is made. */
const CREATED = '1970-01-01T00:00:00Z'

/** The image for one platform, into `memory`: its descriptor. */
async function addImage(
  program: ImporterProgram,
  layer: Descriptor,
  base: Base,
  memory: MemorySource,
): Promise<Descriptor> {
  const below = manifestFor(program.platform, base)
  const { config: described, layers } = below.manifest
  if (described === undefined || described.size > CONFIG_LIMIT) throw unusable(base, 'it has no config')
  const was = parseObject(await base.contentOf(described))
  const rootfs = was?.['rootfs']
  const diffIds: unknown = isObject(rootfs) ? rootfs['diff_ids'] : undefined
  if (was === undefined || !Array.isArray(diffIds) || diffIds.length !== layers.length)
    throw unusable(base, 'its config does not list its layers')
  const given = `${String(was['os'])}/${String(was['architecture'])}`
  if (!matchesPlatform(parsePlatform(program.platform), parsePlatform(given)))
    throw unusable(base, `it is there for ${given}, and the program for ${program.platform}`)
  const history: unknown = was['history']
  const config = encode({
    created: CREATED,
    architecture: was['architecture'],
    os: was['os'],
    ...(typeof was['variant'] === 'string' ? { variant: was['variant'] } : {}),
    config: {
      User: USER,
      // Uploads that were cut off are remembered below HOME, and values land in the folder it starts in.
      Env: [...environmentOf(was['config']), 'HOME=/tmp'],
      Entrypoint: [`/${PROGRAM_FILE}`],
      WorkingDir: '/tmp',
    },
    rootfs: { type: 'layers', diff_ids: [...(diffIds as readonly unknown[]), layer.digest] },
    // All layers have a line, or none has one.
    ...(Array.isArray(history)
      ? {
          history: [
            ...(history as readonly unknown[]),
            { created: CREATED, created_by: 'ma-bundle export --with-image' },
          ],
        }
      : {}),
  })
  const digest = digestOf(config)
  memory.add(digest, config)
  const made = manifest(OCI_MANIFEST, {
    config: { mediaType: OCI_CONFIG, digest, size: config.length },
    layers: [...layers.map(asOci), layer],
    annotations: annotationsOf(program.version, base),
  })
  memory.addManifest(made)
  return { ...made.descriptor, platform: parsePlatform(program.platform) }
}

function manifestFor(wanted: string, base: Base): GraphNode {
  const { nodes, root } = base.root.graph
  const top = nodes.find(({ descriptor }) => descriptor.digest === root.descriptor.digest)
  const child = top?.manifest.manifests.find(
    ({ platform }) => platform !== undefined && matchesPlatform(parsePlatform(wanted), platform),
  )
  const found = isIndex(root.descriptor.mediaType)
    ? nodes.find(({ descriptor }) => descriptor.digest === child?.digest)
    : top
  if (found === undefined) throw unusable(base, `it is not there for ${wanted}`)
  return found
}

const unusable = ({ name }: Base, why: string) =>
  usageError(`the program cannot be put on this image: ${why}`, {
    where: `flag --image-base, ${name}`,
    next: 'name another one with --image-base, or leave it out for the usual one',
  })

/** The layers are the same bytes in both families of media types; no manifest may mix them. */
function asOci({ mediaType, digest, size }: Descriptor): Descriptor {
  const known: Readonly<Record<string, string>> = {
    'application/vnd.docker.image.rootfs.diff.tar': 'application/vnd.oci.image.layer.v1.tar',
    'application/vnd.docker.image.rootfs.diff.tar.gzip': 'application/vnd.oci.image.layer.v1.tar+gzip',
    'application/vnd.docker.image.rootfs.diff.tar.zstd': 'application/vnd.oci.image.layer.v1.tar+zstd',
  }
  return { mediaType: known[mediaType] ?? mediaType, digest, size }
}

/** https://github.com/opencontainers/image-spec/blob/main/annotations.md */
const annotationsOf = (version: string, base: Base): Readonly<Record<string, string>> => ({
  'org.opencontainers.image.base.digest': base.digest,
  'org.opencontainers.image.base.name': base.name,
  'org.opencontainers.image.title': 'ma-bundle',
  'org.opencontainers.image.version': version,
})

function environmentOf(config: unknown): readonly string[] {
  const env: unknown = isObject(config) ? config['Env'] : undefined
  const list: readonly unknown[] = Array.isArray(env) ? env : []
  const kept = list.filter((one): one is string => typeof one === 'string' && !one.startsWith('HOME='))
  const path = kept.find((one) => one.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH
  const folder = `/${dirname(PROGRAM_FILE)}`
  const found = path.split(':').includes(folder) ? path : `${folder}:${path}`
  return [`PATH=${found}`, ...kept.filter((one) => !one.startsWith('PATH='))]
}

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

function manifest(mediaType: string, content: object): RawManifest {
  const raw = encode({ schemaVersion: 2, mediaType, ...content })
  return { descriptor: { mediaType, digest: digestOf(raw), size: raw.length }, raw }
}
