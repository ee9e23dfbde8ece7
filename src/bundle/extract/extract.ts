// Takes single images, charts and files out of a bundle.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { bytesOf, type Bytes } from '../../lib/bytes/bytes.ts'
import { replaceFile } from '../../lib/bytes/write-whole.ts'
import { usageError } from '../../lib/errors.ts'
import { didYouMean } from '../../lib/text/suggest.ts'
import { hexOf } from '../../oci/digest.ts'
import type { Platform } from '../../oci/platform.ts'
import { formatReference, parseReference } from '../../oci/reference.ts'
import { verified } from '../../oci/verify.ts'
import type { ChartContents, FileContents, ImageContents, RootContents } from '../format/contents.ts'
import { imagePlan, type ImageFormat } from './image.ts'
import { openFileWriter } from '../../archive/file-writer.ts'
import { fillArchive, type FillOptions } from '../export/write-archive.ts'
import type { Bundle } from '../format/open.ts'
import { chartPath, filePath } from '../format/root.ts'

export interface ExtractOptions extends FillOptions {
  /** Folder to write into; it is made. */
  readonly output: string
  readonly format: ImageFormat
  readonly platform?: Platform
}

export interface Extracted {
  readonly root: RootContents
  /** File name in the output folder. */
  readonly file: string
  /** Bytes. */
  readonly size: number
}

/** Writes each root as the file other tools know it as: an image archive, a chart's tgz, or the file itself. */
export async function extractRoots(
  bundle: Bundle,
  roots: readonly RootContents[],
  options: ExtractOptions,
): Promise<readonly Extracted[]> {
  // All before the first is written: what is out of reach is known while nothing is there.
  const writers: [RootContents, Writer][] = []
  for (const root of roots) writers.push([root, await writerOf(bundle, root, options)])
  await mkdir(options.output, { recursive: true })
  const taken = new Set<string>()
  const extracted: Extracted[] = []
  for (const [root, write] of writers) {
    options.signal.throwIfAborted()
    const usual = fileNameOf(root)
    const file = taken.has(usual) ? `${hexOf(root.digest).slice(0, 12)}-${usual}` : usual
    taken.add(file)
    extracted.push({ root, file, size: await write(join(options.output, file)) })
  }
  return extracted
}

/**
 * The roots that people mean: by the whole name, by what the name ends with, or a chart without its version.
 * @throws a usage error for a name that is none of them, or several
 */
export function chooseRoots(
  roots: readonly RootContents[],
  names: readonly string[],
): readonly RootContents[] {
  if (names.length === 0) return roots
  const chosen = names.map((name) => {
    const exact = roots.filter((root) => root.name === name || root.name === completed(name))
    const near = roots.filter((root) => isMeant(root, name))
    const [found, ...others] = exact.length > 0 ? exact : near
    if (found === undefined) {
      const all = roots.map((root) => root.name)
      throw usageError(`the bundle has no "${name}"`, {
        next: didYouMean(name, all) ?? 'ma-bundle inspect lists what it has',
      })
    }
    if (others.length > 0) {
      throw usageError(`"${name}" may be ${[found, ...others].map((root) => root.name).join(' or ')}`, {
        next: 'write the whole name',
      })
    }
    return found
  })
  return [...new Set(chosen)]
}

// --- internal ---

/** Writes one thing to a path; the bytes written. */
type Writer = (path: string) => Promise<number>

async function writerOf(bundle: Bundle, root: RootContents, options: ExtractOptions): Promise<Writer> {
  if (root.kind !== 'image') return (path) => replaceFile(path, contentOf(bundle, root))
  const plan = await imagePlan(bundle, root, options)
  return async (path) => (await fillArchive(await openFileWriter(path), plan, options)).size
}

/** `quay.io/x/y:1` -> `quay.io_x_y_1.tar`. */
function fileNameOf(root: RootContents): string {
  if (root.kind === 'file') return plain(root.name)
  if (root.kind === 'chart') return plain(`${root.chart}-${root.version}.tgz`)
  return `${plain(root.name)}.tar`
}

const plain = (name: string): string =>
  name
    .replaceAll(/[^A-Za-z0-9._+-]+/g, '_')
    .replace(/^\.+/, '_')
    .slice(-200)

function isMeant(root: RootContents, name: string): boolean {
  if (root.kind === 'chart' && root.chart === name) return true
  if (root.kind !== 'image') return false
  const bare = root.name.replace(/@sha256:.*$|:[^/:]*$/, '')
  return [root.name, bare].some((whole) => whole === name || whole.endsWith(`/${name}`))
}

/** `busybox` -> `docker.io/library/busybox:latest`; undefined for what is no reference. */
function completed(name: string): string | undefined {
  try {
    return formatReference(parseReference(name))
  } catch (error) {
    if (error instanceof Error && error.name === 'BundleError') return undefined
    throw error
  }
}

async function* contentOf(bundle: Bundle, root: Exclude<RootContents, ImageContents>): Bytes {
  if (root.kind === 'chart') yield* chartContent(bundle, root)
  else yield* fileContent(bundle, root)
}

async function* chartContent(bundle: Bundle, { chart, version }: ChartContents): Bytes {
  yield* bytesOf(await bundle.content(chartPath(chart, version)))
}

const fileContent = ({ archive }: Bundle, root: FileContents): Bytes =>
  verified(archive.read(filePath(root.name)), root, `bundle, file ${root.name}`)
