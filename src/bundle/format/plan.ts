import type { Entry } from '../../archive/tar.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { digestOf, hexOf, type Digest } from '../../oci/digest.ts'
import { encodeContents, HEAD, type Contents } from './contents.ts'
import { encodeLayoutIndex, LAYOUT_FILE, type LayoutRoot } from './oci-layout.ts'
import { chartPath, filePath, type Root, type TransferSource } from './root.ts'
import { programContents, type ImporterProgram } from './importer.ts'
import { encodeSums, SUMS, sumsSize } from './sums.ts'

/** An entry whose content has to be fetched. */
export interface Transfer {
  readonly path: string
  readonly descriptor: Descriptor
  /** The root a person knows it by: the first that needs it. */
  readonly name: string
  /** Every place it can be had from, best first. */
  readonly sources: readonly TransferSource[]
}

/** The whole archive, known before the first layer is fetched. */
export interface Plan {
  /** In the order of the archive. */
  readonly entries: readonly Entry[]
  /** Content of the first entry. */
  readonly head: Uint8Array
  /** Entries whose content is here already. */
  readonly ready: ReadonlyMap<string, Uint8Array>
  readonly transfers: readonly Transfer[]
}

export { HEAD }
/** The lock, for `tar xOf bundle.tar lock.json`. */
export const LOCK = 'lock.json'

/** `blobs/sha256/<hex>`: https://github.com/opencontainers/image-spec/blob/main/image-layout.md */
export const blobPath = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`

/** What does not follow from the roots. */
export type PlanFacts = Omit<Contents, 'entries' | 'programs'> & {
  readonly lock: string
  readonly programs?: readonly ImporterProgram[]
}

/** Lays the archive out. Pure: the same roots and facts give the same bytes. */
export function plan(roots: readonly Root[], { lock, programs = [], ...facts }: PlanFacts): Plan {
  const ready = new Map<string, Uint8Array>()
  const small = new Map<string, Transfer | undefined>()
  const large = new Map<string, Transfer>()
  const layoutRoots: LayoutRoot[] = []
  const absent = new Set(facts.absent?.map(({ digest }) => digest))

  for (const root of roots) {
    if (root.kind === 'file') {
      add(large, filePath(root.name), root.descriptor, root)
      continue
    }
    layoutRoots.push({ descriptor: root.graph.root.descriptor, name: root.name })
    if (root.kind === 'chart') ready.set(chartPath(root.chart, root.version), root.tgz)
    for (const node of root.graph.nodes) {
      const path = blobPath(node.descriptor.digest)
      ready.set(path, node.raw)
      small.set(path, undefined)
      for (const blob of node.blobs) {
        if (absent.has(blob.digest)) continue
        const isConfig = blob.digest === node.manifest.config?.digest
        add(isConfig ? small : large, blobPath(blob.digest), blob, root)
      }
    }
  }
  for (const path of small.keys()) large.delete(path)
  const along = new Map(programs.map((program): [string, Transfer] => [program.path, transferOf(program)]))
  const { index, blobs: wrappers } = encodeLayoutIndex(layoutRoots)
  ready.set(LAYOUT_FILE.path, LAYOUT_FILE.content)
  ready.set('index.json', index)
  ready.set(LOCK, new TextEncoder().encode(lock))
  for (const { descriptor, raw } of wrappers) {
    ready.set(blobPath(descriptor.digest), raw)
    small.set(blobPath(descriptor.digest), undefined)
  }

  const sizeOf = (path: string): number =>
    ready.get(path)?.length ?? (small.get(path) ?? large.get(path) ?? along.get(path))?.descriptor.size ?? 0
  const charts = [...ready.keys()].filter((path) => path.startsWith('charts/')).toSorted()
  const blobs = [...large.keys()].filter((path) => !path.startsWith('files/')).toSorted()
  const files = [...large.keys()].filter((path) => path.startsWith('files/')).toSorted()
  const listed = [
    LAYOUT_FILE.path,
    'index.json',
    LOCK,
    ...[...small.keys()].toSorted(),
    ...charts,
    ...along.keys(),
    ...files,
    ...blobs,
  ]

  const entries = listed.map((path) => ({ path, size: sizeOf(path) }))
  entries.splice(2, 0, { path: SUMS, size: sumsSize([HEAD, ...listed]) })
  const head = encodeContents({ ...facts, programs: programs.map(programContents), entries })

  const digestAt = (path: string): Digest => {
    const content = path === HEAD ? head : ready.get(path)
    if (content !== undefined) return digestOf(content)
    const transfer = small.get(path) ?? large.get(path) ?? along.get(path)
    if (transfer === undefined) throw new Error(`no content for ${path}`)
    return transfer.descriptor.digest
  }
  ready.set(SUMS, encodeSums([HEAD, ...listed].map((path) => [path, digestAt(path)])))
  ready.set(HEAD, head)

  const transfers = [...small.values(), ...along.values(), ...large.values()].filter(
    (transfer): transfer is Transfer => transfer !== undefined && !ready.has(transfer.path),
  )
  return { head, ready, transfers, entries: [{ path: HEAD, size: head.length }, ...entries] }
}

// --- internal ---

const transferOf = ({ path, digest, size, source }: ImporterProgram): Transfer => ({
  path,
  name: path,
  descriptor: { mediaType: 'application/octet-stream', digest, size },
  sources: [source],
})

function add(map: Map<string, Transfer | undefined>, path: string, descriptor: Descriptor, root: Root): void {
  const known =
    map.get(path) ?? (map.has(path) ? undefined : { path, descriptor, name: root.name, sources: [] })
  if (known === undefined) return
  const sources = new Set([...known.sources, root.source, ...(root.alternatives ?? [])])
  map.set(path, { ...known, sources: [...sources] })
}
