import { basename, resolve } from 'node:path'
import { usageError } from '../../../lib/errors.ts'
import { describeLocalChart } from '../local/chart.ts'
import { parseImageFile } from '../local/image-file.ts'
import { chooseImage, openImages } from '../local/open-images.ts'
import { splitOciUrl } from './format.ts'
import type { ListingWriter, ListPlace } from './listing.ts'

/**
 * An image on the command line: a reference, or `docker-archive:`, `oci-archive:` or `oci:` with a path, perhaps with
 * one of its names behind it, and with `=` the name that others know it by. Without a name, all it holds.
 */
export async function readImageArgument(text: string, to: ListingWriter): Promise<void> {
  const at: ListPlace = { file: 'the command line' }
  const equals = text.indexOf('=')
  const [written, as] = equals < 0 ? [text] : [text.slice(0, equals), text.slice(equals + 1)]
  const file = parseImageFile(written, '.')
  if (file === undefined) {
    const isFile = /\.(?:tar|tgz|ya?ml|json|txt)$/i.test(text) || /^\.{0,2}\//.test(text)
    if (isFile) return to.problem(at, `"${text}" is a file: ${takenBy(text)}`)
    return to.image(text, at)
  }
  const shown = { ...file, path: near(file.path) }
  if (as !== undefined) {
    const opened = await openImages(file)
    chooseImage(opened, file)
    return to.imageIn(shown, as, at)
  }
  const opened = await openImages(file)
  const images = file.name === undefined ? opened.images : [chooseImage(opened, file)]
  for (const { names } of images) {
    const full = names.filter((name) => /[/:]/.test(name))
    if (full.length === 0) to.problem(at, `${written} does not say what its image is called: add =<name>`)
    for (const name of full)
      to.imageIn({ ...shown, name: names.includes(name) ? name : (names[0] ?? name) }, name, at)
  }
}

const takenBy = (path: string): string =>
  /\.tar$/i.test(path)
    ? `take its images with docker-archive:${path} or oci-archive:${path}`
    : /\.tgz$/i.test(path)
      ? `take a chart with --chart ${path}`
      : `take a list with --spec ${path}`

/**
 * A chart on the command line: `name@version=<repository>`, where the repository may be a folder or a package of this
 * machine, such a path alone, or `oci://host/folder/name:version`.
 */
export async function readChartArgument(text: string, to: ListingWriter): Promise<void> {
  const at: ListPlace = { file: `--chart ${text.slice(0, 200)}` }
  const named = NAMED.exec(text) ?? LISTED.exec(text)
  const [, name, version, where] = named ?? []
  if (name !== undefined && where !== undefined) {
    if (where.includes('://')) return to.chart({ name, version, repository: where }, at)
    return to.chart({ name, version, repository: near(where), local: resolve(where) }, at)
  }
  if (text.startsWith('oci://')) {
    const tag = /:([^:/]+)$/.exec(text.slice('oci://'.length))?.[1]
    const split = splitOciUrl(text)
    return to.chart(
      { name: split?.name, version: tag?.replaceAll('_', '+'), repository: split?.repository },
      at,
    )
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(text) || /^[a-z0-9._-]+@[^/]+$/.test(text)) {
    throw usageError(`--chart ${text} does not say ${text.includes('://') ? 'which chart' : 'where it is'}`, {
      next: 'write --chart grafana@8.15.0=https://…, =oci://host/folder, =./folder or =./chart.tgz, or a path alone',
    })
  }
  const chart = await describeLocalChart(resolve(text), near(text))
  to.chart(chart, at)
}

// --- internal ---

const NAMED = /^([^\s=|@/]+)@([^=|]+)=(.+)$/
const LISTED = /^([^|]+)\|([^|]+)\|(.+)$/

/** As a spec beside it would name it: paths of this machine do not travel. */
const near = (path: string): string => `./${basename(resolve(path))}`
