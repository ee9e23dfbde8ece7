import { sameVersion } from '../../helm/version.ts'
import type { Digest } from '../../oci/digest.ts'
import { formatPlatform } from '../../oci/platform.ts'
import { visible } from '../../lib/text/visible.ts'
import type { RootKind } from '../run/events.ts'
import { LOCK_FORMAT, type Lock, type LockedChart, type LockedImage } from './lock-file.ts'
import type { ChartRoot, ImageRoot, Root } from '../format/root.ts'

/** One difference between two locks. `before` is absent for what is new, `after` for what is gone. */
export interface LockChange {
  readonly kind: RootKind
  readonly name: string
  readonly before?: Digest
  readonly after?: Digest
  /** Of an image that is in both: the platforms whose manifest changed, came or went. */
  readonly platforms: readonly string[]
}

/** The lock that pins what was resolved. Sorted, so that the order of the spec does not show. */
export function lockOf(
  spec: { readonly name: string; readonly version?: string },
  roots: readonly Root[],
): Lock {
  return {
    format: LOCK_FORMAT,
    name: spec.name,
    ...(spec.version === undefined ? {} : { version: spec.version }),
    images: roots
      .filter((root) => root.kind === 'image')
      .map(lockImage)
      .toSorted(byName),
    charts: roots
      .filter((root) => root.kind === 'chart')
      .map(lockChart)
      .toSorted(byName),
    files: roots
      .filter((root) => root.kind === 'file')
      .map(({ name, descriptor: { digest, size } }) => ({ name, digest, size }))
      .toSorted(byName),
  }
}

/**
 * The digest that a lock pins something to, at its source. Charts are asked for as `<name>:<version>`, with or
 * without the version's `v`.
 */
export function pinnedBy(lock: Lock): (kind: RootKind, name: string) => Digest | undefined {
  const images = new Map(lock.images.map(({ name, digest }) => [name, digest]))
  const files = new Map(lock.files.map(({ name, digest }) => [name, digest]))
  return (kind, name) => {
    if (kind === 'image') return images.get(name)
    if (kind === 'file') return files.get(name)
    const [chart, version = ''] = name.split(':')
    const exact = lock.charts.find((entry) => entry.name === chart && entry.version === version)
    const same = lock.charts.find((entry) => entry.name === chart && sameVersion(entry.version, version))
    return (exact ?? same)?.digest
  }
}

/** What changed from one lock to another, by kind and name. */
export function diffLock(before: Lock, after: Lock): readonly LockChange[] {
  return [
    ...diff('image', before.images, after.images),
    ...diff('chart', before.charts.map(versioned), after.charts.map(versioned)),
    ...diff('file', before.files, after.files),
  ]
}

/**
 * One change as a line: `~ image busybox:latest  sha256:… → sha256:…  (linux/arm64)`. One digest alone: the same
 * index, bundled for other platforms.
 */
export function formatChange({ kind, name, before, after, platforms }: LockChange): string {
  const what = `${kind} ${visible(name)}`
  if (before === undefined) return `+ ${what}  ${after ?? ''}`
  if (after === undefined) return `- ${what}  ${before}`
  const which = platforms.length === 0 ? '' : `  (${platforms.join(', ')})`
  return `~ ${what}  ${before === after ? after : `${before} → ${after}`}${which}`
}

// --- internal ---

interface Entry {
  readonly name: string
  readonly digest: Digest
  readonly platforms?: Readonly<Record<string, Digest>>
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => compare(a.name, b.name)

/** A chart is known by name and version; a new version is another chart. */
const versioned = ({ name, version, digest }: LockedChart): Entry => ({ name: `${name}:${version}`, digest })

function lockImage(root: ImageRoot): LockedImage {
  const { graph, original, name } = root
  const children = graph.nodes.at(-1)?.manifest.manifests ?? []
  const platforms = children.flatMap(({ platform, digest }) =>
    platform === undefined || platform.os === 'unknown' ? [] : [[formatPlatform(platform), digest] as const],
  )
  const bundled = graph.root.descriptor.digest
  return {
    name,
    digest: original?.digest ?? bundled,
    ...(original === undefined ? {} : { bundled }),
    platforms: Object.fromEntries(platforms.toSorted(([a], [b]) => compare(a, b))),
  }
}

function lockChart(root: ChartRoot): LockedChart {
  const { chart: name, version, repository, graph } = root
  return { name, version, repository, digest: graph.root.descriptor.digest }
}

function diff(kind: RootKind, before: readonly Entry[], after: readonly Entry[]): readonly LockChange[] {
  const names = new Set([...before, ...after].map(({ name }) => name))
  const find = (entries: readonly Entry[], name: string) => entries.find((entry) => entry.name === name)
  return [...names].toSorted(compare).flatMap((name): LockChange[] => {
    const [old, now] = [find(before, name), find(after, name)]
    const platforms = old === undefined || now === undefined ? [] : changedPlatforms(old, now)
    if (old?.digest === now?.digest && platforms.length === 0) return []
    return [
      {
        kind,
        name,
        ...(old === undefined ? {} : { before: old.digest }),
        ...(now === undefined ? {} : { after: now.digest }),
        platforms,
      },
    ]
  })
}

function changedPlatforms({ platforms: old = {} }: Entry, { platforms: now = {} }: Entry): readonly string[] {
  const names = new Set([...Object.keys(old), ...Object.keys(now)])
  return [...names].filter((name) => old[name] !== now[name]).toSorted(compare)
}
