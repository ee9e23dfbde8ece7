// The bundle as bytes: `bundle.json` and the entries around it are planned, encoded, decoded and opened here.
import type { Entry } from '../../archive/tar.ts'
import type { BoundChart } from './charts/bound-chart.ts'
import { decodeBoundCharts } from './charts/bound-chart-json.ts'
import { decodeProofs, type ChartProof } from './charts/chart-proof.ts'
import { decodePrograms, type ProgramContents } from './importer.ts'
import { integrityError } from '../../lib/errors.ts'
import { isDigest, type Digest } from '../../oci/digest.ts'
import { isObject, parseObject } from '../../oci/manifest.ts'
import { platformsOf, type Root } from './root.ts'

/** What every root of the table says. */
interface Rooted {
  readonly name: string
  readonly digest: Digest
  /** Bytes of the manifest or file. */
  readonly size: number
}

export interface ImageContents extends Rooted {
  readonly kind: 'image'
  readonly mediaType: string
  /** `os/architecture` of each runnable child, or of the image itself. */
  readonly platforms: readonly string[]
  /** The index's digest at the source, when the bundle holds fewer platforms. */
  readonly original?: Digest
  /** The chart that it signs or describes: it lands in that chart's repository. */
  readonly chart?: string
}

export interface ChartContents extends Rooted {
  readonly kind: 'chart'
  readonly mediaType: string
  readonly chart: string
  readonly version: string
  readonly repository: string
}

export interface FileContents extends Rooted {
  readonly kind: 'file'
}

export type RootContents = ImageContents | ChartContents | FileContents

/**
 * `bundle.json`, the first entry: what is inside, and what the importer needs to know. Holds no time, no host but the
 * sources' own, no path and no credential, so that the same digests make the same bytes.
 */
export interface Contents {
  readonly format: typeof FORMAT
  /** Of the spec. */
  readonly name: string
  readonly version?: string
  readonly roots: readonly RootContents[]
  /** The spec's own text: what the values override is computed from. */
  readonly spec: string
  /** Where the charts' values name images, as a real helm showed at export; empty when there was none. */
  readonly bound: readonly BoundChart[]
  /** What was proven of the charts with the override on top; empty without a helm. */
  readonly proof: readonly ChartProof[]
  /** Blobs that the bundle's roots need and the bundle leaves out, because the destination has them. */
  readonly absent?: readonly Absent[]
  /** The program itself, when the bundle carries it along. */
  readonly programs?: readonly ProgramContents[]
  /** All entries behind this one, in order. */
  readonly entries: readonly Entry[]
}

/** A blob that is not carried. */
export interface Absent {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

export const FORMAT = 'ma-bundle/1'
/** The first entry. */
export const HEAD = 'bundle.json'

/** More than any real bundle has; a list beyond it is refused before it fills the memory. */
export const CONTENTS_LIMIT = 64 * 1024 * 1024

/** Keys in a fixed order, one entry a line, so that a person can read it with `tar xOf`. */
export function encodeContents(contents: Contents): Uint8Array {
  const { format, name, version, roots, spec, bound, proof, absent = [], programs = [], entries } = contents
  const head = JSON.stringify({ format, name, version, spec }).slice(0, -1)
  const lines = (items: readonly unknown[]): string => items.map((item) => JSON.stringify(item)).join(',\n')
  const table = entries.map(({ path, size }) => [path, size])
  const left = absent.map(({ digest, size }) => [digest, size])
  const without = left.length === 0 ? '' : `"absent":[\n${lines(left)}\n],\n`
  const along = programs.length === 0 ? '' : `"programs":[\n${lines(programs)}\n],\n`
  return new TextEncoder().encode(
    `${head},\n"roots":[\n${lines(roots)}\n],\n"bound":[\n${lines(bound)}\n],\n"proof":[\n${lines(proof)}\n],\n${without}${along}"entries":[\n${lines(table)}\n]}\n`,
  )
}

/**
 * @throws an integrity error for another format or a damaged table
 */
export function decodeContents(raw: Uint8Array): Contents {
  const json = parseObject(raw)
  if (json === undefined) throw damaged('it is not JSON')
  const { format, name, version, roots, spec, entries } = json
  if (format !== FORMAT) {
    throw integrityError(
      `the bundle has format ${JSON.stringify(format)?.slice(0, 60)}, this program reads ${FORMAT}`,
      {
        next: 'use the version of ma-bundle that wrote it',
      },
    )
  }
  if (typeof name !== 'string' || typeof spec !== 'string') throw damaged('a part is missing')
  if (!Array.isArray(roots) || !Array.isArray(entries)) throw damaged('a part is missing')
  return {
    format: FORMAT,
    name,
    ...(typeof version === 'string' ? { version } : {}),
    roots: roots.map(decodeRoot),
    bound: decodeBoundCharts(json['bound']),
    proof: decodeProofs(json['proof']),
    spec,
    ...(Array.isArray(json['absent']) ? { absent: decodeAbsent(json['absent']) } : {}),
    ...(json['programs'] === undefined ? {} : { programs: decodePrograms(json['programs']) }),
    entries: decodeEntries(entries),
  }
}

/** What `bundle.json` says of a root. */
export function contentsOf(root: Root): RootContents {
  const { kind, name } = root
  if (kind === 'file') return { kind, name, digest: root.descriptor.digest, size: root.descriptor.size }
  const { digest, size, mediaType } = root.graph.root.descriptor
  const common = { name, digest, size, mediaType }
  if (kind === 'chart')
    return { kind, ...common, chart: root.chart, version: root.version, repository: root.repository }
  const original = root.original === undefined ? {} : { original: root.original.digest }
  const about = root.chart === undefined ? {} : { chart: root.chart }
  return { kind, ...common, platforms: platformsOf(root), ...original, ...about }
}

// --- internal ---

const damaged = (why: string) =>
  integrityError(`bundle.json is damaged: ${why}`, { next: 'copy or export the bundle again' })

function decodeEntries(entries: readonly unknown[]): Entry[] {
  const seen = new Set<string>([HEAD])
  return entries.map((entry) => {
    const [path, size]: unknown[] = Array.isArray(entry) ? entry : []
    if (typeof path !== 'string' || !isSize(size)) throw damaged('an entry has no path or size')
    if (!isPlain(path) || seen.has(path)) throw damaged(`entry ${JSON.stringify(path.slice(0, 200))}`)
    seen.add(path)
    return { path, size }
  })
}

/** One spelling of each path, so that two names never mean one file. */
const isPlain = (path: string): boolean =>
  !/[\\\p{Cc}]/u.test(path) && path.split('/').every((step) => step !== '' && step !== '.' && step !== '..')

const decodeAbsent = (absent: readonly unknown[]): Absent[] =>
  absent.map((one) => {
    const [digest, size]: unknown[] = Array.isArray(one) ? one : []
    if (!isDigest(digest) || !isSize(size)) throw damaged('a blob that is left out has no digest or size')
    return { digest, size }
  })

function decodeRoot(root: unknown): RootContents {
  if (!isObject(root)) throw damaged('a root is not an object')
  const { kind, name, digest, size, mediaType, chart, version, repository, platforms, original } = root
  if (typeof name !== 'string' || !isDigest(digest) || !isSize(size))
    throw damaged('a root has no name, digest or size')
  if (kind === 'file') return { kind, name, digest, size }
  if (typeof mediaType !== 'string') throw damaged(`root "${name}" has no media type`)
  const common = { name, digest, size, mediaType }
  if (kind === 'image') {
    return {
      kind,
      ...common,
      platforms: Array.isArray(platforms) ? platforms.filter((one) => typeof one === 'string') : [],
      ...(isDigest(original) ? { original } : {}),
      ...(typeof chart === 'string' ? { chart } : {}),
    }
  }
  if (kind === 'chart' && typeof chart === 'string' && typeof version === 'string') {
    return { kind, ...common, chart, version, repository: typeof repository === 'string' ? repository : '' }
  }
  throw damaged(`root "${name}" is of an unknown kind`)
}

const isSize = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
