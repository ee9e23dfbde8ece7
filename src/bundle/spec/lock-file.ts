import { jsonText } from '../../lib/text/visible.ts'
import { parseDigest, type Digest } from '../../oci/digest.ts'
import { encodeLockedExport, readLockedExport, type LockedExport } from './lock-export.ts'
import { entries, fields, finish, items, openSpec, problem, type YamlNode } from './yaml-reader.ts'
import { oneOf, parsed, size, text } from './yaml-values.ts'

/** What every reference of a spec was resolved to: an export with it gives the same bundle, or says what moved. */
export interface Lock {
  readonly format: typeof LOCK_FORMAT
  /** Of the spec. */
  readonly name: string
  readonly version?: string
  readonly images: readonly LockedImage[]
  readonly charts: readonly LockedChart[]
  readonly files: readonly LockedFile[]
  /** Of a lock that an export wrote, or that helm had a part in: what makes it the same bytes again. */
  readonly export?: LockedExport
}

export interface LockedImage {
  /** The reference as the bundle has it: `docker.io/library/busybox:1.36`. */
  readonly name: string
  /** What it stands for at its source. */
  readonly digest: Digest
  /** What the bundle holds, when platforms were left out of the index. */
  readonly bundled?: Digest
  /** The manifest of each platform in the bundle; empty for an image that has no index. */
  readonly platforms: Readonly<Record<string, Digest>>
}

export interface LockedChart {
  readonly name: string
  /** As Chart.yaml has it. */
  readonly version: string
  readonly repository: string
  /** Of its OCI manifest, which names the tgz by digest. */
  readonly digest: Digest
}

export interface LockedFile {
  readonly name: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
}

export const LOCK_FORMAT = 'ma-bundle-lock/2'

/** Without `export`. */
const OLD_FORMAT = 'ma-bundle-lock/1'

/** JSON with fixed keys in a fixed order: the same lock gives the same bytes, and a diff shows what moved. */
export function encodeLock({ format, name, version, images, charts, files, export: made }: Lock): string {
  const lock = {
    format,
    name,
    version,
    images: images.map((image) => ({
      name: image.name,
      digest: image.digest,
      bundled: image.bundled,
      platforms: image.platforms,
    })),
    charts: charts.map((chart) => ({
      name: chart.name,
      version: chart.version,
      repository: chart.repository,
      digest: chart.digest,
    })),
    files: files.map((file) => ({ name: file.name, digest: file.digest, size: file.size })),
  }
  const text = jsonText(lock, 2)
  return made === undefined
    ? `${text}\n`
    : `${text.slice(0, -'\n}'.length)},\n  "export": ${encodeLockedExport(made)}\n}\n`
}

/**
 * Reads a lock strictly: what is unknown, missing or given twice is refused with its place, because a lock that is
 * half understood pins nothing.
 * @throws SpecError (usage)
 */
export function decodeLock(content: string, fileName: string): Lock {
  const root = openSpec(content, fileName, 'write it again with ma-bundle lock', { most: MAX_CHARACTERS })
  const top = fields(root, ['format', 'name', 'version', 'images', 'charts', 'files', 'export'])
  const version = text(top?.get('version'), 'a version')
  oneOf(top?.need('format'), [LOCK_FORMAT, OLD_FORMAT])
  const block = top?.get('export')
  const made = block === undefined ? undefined : readLockedExport(block)
  const lock: Lock = {
    format: LOCK_FORMAT,
    name: text(top?.need('name'), 'the name of the spec') ?? '',
    ...(version === undefined ? {} : { version }),
    images: listOf(top?.need('images'), 'images', readImage, ({ name }) => name),
    charts: listOf(top?.need('charts'), 'charts', readChart, ({ name, version }) => `${name}:${version}`),
    files: listOf(top?.need('files'), 'files', readFile, ({ name }) => name),
    ...(made === undefined ? {} : { export: made }),
  }
  finish(root.file)
  return lock
}

// --- internal ---

/** Bindings of hundreds of charts; parsing YAML takes some hundred times the memory of its text. */
const MAX_CHARACTERS = 4 * 1024 * 1024

const digestAt = (place: YamlNode | undefined): Digest | undefined =>
  parsed(place, 'sha256: and 64 hex digits', (written) => parseDigest(written))

function listOf<Item>(
  place: YamlNode | undefined,
  what: string,
  read: (place: YamlNode) => Item | undefined,
  nameOf: (item: Item) => string,
): readonly Item[] {
  const known = new Set<string>()
  return items(place, what).flatMap((item) => {
    const value = read(item)
    if (value === undefined) return []
    const name = nameOf(value)
    if (known.has(name)) problem(item, `"${name}" is listed twice`)
    known.add(name)
    return [value]
  })
}

function readImage(place: YamlNode): LockedImage | undefined {
  const image = fields(place, ['name', 'digest', 'bundled', 'platforms'])
  const name = text(image?.need('name'), 'an image reference')
  const digest = digestAt(image?.need('digest'))
  const bundled = digestAt(image?.get('bundled'))
  const platforms = entries(image?.need('platforms'), 'digests by platform').flatMap(([platform, value]) => {
    const found = digestAt(value)
    return found === undefined ? [] : [[platform, found] as const]
  })
  if (name === undefined || digest === undefined) return undefined
  return {
    name,
    digest,
    ...(bundled === undefined ? {} : { bundled }),
    platforms: Object.fromEntries(platforms),
  }
}

function readChart(place: YamlNode): LockedChart | undefined {
  const chart = fields(place, ['name', 'version', 'repository', 'digest'])
  const name = text(chart?.need('name'), 'a chart name')
  const version = text(chart?.need('version'), 'a version')
  const repository = text(chart?.need('repository'), 'the address of a repository')
  const digest = digestAt(chart?.need('digest'))
  if (name === undefined || version === undefined || repository === undefined) return undefined
  return digest === undefined ? undefined : { name, version, repository, digest }
}

function readFile(place: YamlNode): LockedFile | undefined {
  const file = fields(place, ['name', 'digest', 'size'])
  const name = text(file?.need('name'), 'a file name')
  const digest = digestAt(file?.need('digest'))
  const bytes = size(file?.need('size'))
  if (name === undefined || digest === undefined) return undefined
  return bytes === undefined ? undefined : { name, digest, size: bytes }
}
