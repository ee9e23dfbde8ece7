import { readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { readSmall, whyUnreadable } from '../../../lib/bytes/small-file.ts'
import { usageError } from '../../../lib/errors.ts'
import { shownPath } from '../../../lib/shown-path.ts'
import { bundledSpec, loadSpec, missingSpec, type LoadedSpec } from '../bundled.ts'
import { formatReference } from '../../../oci/reference.ts'
import { specText } from '../print.ts'
import { parseSpec, type BundleSpec, type SpecChart, type SpecFile, type SpecImage } from '../spec.ts'
import { combine, specOfListing, type SpecPart } from './combine.ts'
import { createListing, placeText, type Listing, type ListPlace, type NotTaken } from './listing.ts'
import { hasUnread, readManifests } from './manifests.ts'
import { lineFinder, readObjects } from './objects/read.ts'
import { recognise, SHORTEST, type ListText, type Recognised } from './recognise.ts'
import { textOfList } from './source-text.ts'
import { readChartArgument, readImageArgument } from './arguments.ts'

/** What to bundle, as it is given: files, folders, bundled names, `-`, and single things. */
export interface ListSources {
  readonly specs: readonly string[]
  readonly images: readonly string[]
  readonly charts: readonly string[]
  /** Files and folders that are carried along. */
  readonly manifests?: readonly string[]
  /** Standard input, for `-`. */
  readonly stdin?: () => Promise<Uint8Array>
}

/** A spec of all sources, and what could not be taken from them. */
export interface LoadedLists extends LoadedSpec {
  readonly notTaken: readonly NotTaken[]
}

/**
 * Reads everything that says what to bundle and adds it up. Nothing at all is the newest Migration Assistant. A single
 * spec of our own stays as it was written.
 * @throws a usage error that names every fault with its place
 */
export async function loadLists(sources: ListSources): Promise<LoadedLists> {
  const { specs, images, charts, manifests = [] } = sources
  if (specs.length + images.length + charts.length + manifests.length === 0)
    return { ...(await loadSpec()), notTaken: [] }
  const read = (await Promise.all(specs.map((one) => readOne(one, sources)))).flat()
  const [only] = read
  const isAlone = read.length === 1 && images.length + charts.length + manifests.length === 0
  if (isAlone && only?.kind === 'spec' && !hasUnread(only.spec)) {
    return { spec: only.spec, text: only.text, fileName: only.file, notTaken: [] }
  }
  const all = read.flatMap((one) => (one.kind === 'list' ? one.objects : []))
  const listings: Listing[] = []
  const parts: SpecPart[] = []
  for (const one of read) {
    if (one.kind === 'spec') {
      const whole = await readManifests(one.spec)
      const inSpec = placesIn(one)
      parts.push({ spec: whole.spec, placeOf: (item) => whole.placeOf(item) ?? inSpec(item) })
      listings.push(...whole.listings)
      continue
    }
    readObjects(one.objects, all, lineFinder(one.text), one.to)
    parts.push(specOfListing(stem(one.file), one.to.listing))
    listings.push(one.to.listing)
  }
  if (manifests.length > 0) {
    const carried = await readManifests(specOfManifests(manifests))
    parts.push({ spec: carried.spec, placeOf: (item) => carried.placeOf(item) ?? { file: '--manifests' } })
    listings.push(...carried.listings)
  }
  const given = await argumentsOf(sources)
  if (given !== undefined) {
    listings.push(given)
    parts.push(specOfListing(parts.length === 0 ? 'bundle' : 'command-line', given))
  }
  refuseProblems(listings)
  const notTaken = listings.flatMap((listing) => listing.notTaken)
  const spec = combine(parts.filter((part) => part.spec.groups.length > 0))
  refuseNothing(spec, read, notTaken)
  return {
    spec,
    text: specText(spec),
    fileName: read.length === 1 ? (only?.file ?? '') : spec.name,
    notTaken,
  }
}

// --- internal ---

/** Some hundred thousand lines, or all objects of a large cluster. */
const MAX_BYTES = 256 * 1024 * 1024
const MOST_FILES = 10_000
const SHOWN = 25

type ReadText = Recognised & Pick<ListText, 'file' | 'text'>

async function readOne(source: string, { stdin }: ListSources): Promise<readonly ReadText[]> {
  const bundled = bundledSpec(source)
  if (bundled !== undefined) {
    const { text, fileName } = bundled
    return [{ kind: 'spec', spec: parseSpec(text, fileName), text, file: fileName }]
  }
  if (source === '-') {
    if (stdin === undefined) throw usageError('standard input is not read here', { next: 'give a file' })
    return [read({ file: 'standard input', text: textOfList(await stdin(), 'standard input') })]
  }
  const found = await stat(source).catch((cause: unknown) => {
    throw missingSpec(source, cause)
  })
  if (found.isDirectory()) return readFolder(source)
  const file = shownPath(source)
  const text = textOfList(await bytesAt(source), file)
  return [read({ file, text, folder: dirname(resolve(source)) })]
}

const read = (text: ListText): ReadText => ({ ...recognise(text), file: text.file, text: text.text })

async function bytesAt(path: string): Promise<Uint8Array> {
  try {
    return await readSmall(path, MAX_BYTES)
  } catch (error) {
    throw usageError(`the list ${shownPath(path)} cannot be read: ${whyUnreadable(error)}`, { cause: error })
  }
}

/** A folder of manifests: what kubectl apply -R takes of it. */
async function readFolder(folder: string): Promise<readonly ReadText[]> {
  const shown = shownPath(folder)
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /\.(?:ya?ml|json)$/i.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
  if (files.length > MOST_FILES)
    throw usageError(`the folder ${shown} has ${files.length} files, which is more than ${MOST_FILES}`)
  const kustomization = files.find((file) =>
    /(?:^|\/)kustomization\.ya?ml$|(?:^|\/)Kustomization$/.test(file),
  )
  if (kustomization !== undefined) {
    throw usageError(`the folder ${shown} is what kustomize reads, not what it makes`, {
      next: `run: kubectl kustomize ${dirname(shownIn(folder, kustomization))} | ma-bundle export <bundle> --spec -`,
    })
  }
  if (files.some((file) => file === join(folder, 'Chart.yaml'))) {
    throw usageError(`the folder ${shown} is a chart`, { next: `give it with --chart ${shown}` })
  }
  if (files.length === 0) {
    throw usageError(`the folder ${shown} holds no YAML and no JSON`, { next: SHORTEST })
  }
  const texts: ReadText[] = []
  for (const path of files) {
    const file = shownIn(folder, path)
    const text = textOfList(await bytesAt(path), file)
    if (text.trim() !== '')
      texts.push(read({ file, text, folder: dirname(resolve(path)), isOneOfMany: true }))
  }
  return texts
}

/** A file of a folder, with the folder as it is shown. */
const shownIn = (folder: string, file: string): string =>
  `${shownPath(folder).replace(/\/$/, '')}/${file.slice(join(folder, '/').length)}`

const stem = (file: string): string =>
  (file.split(/[\\/]/).at(-1) ?? '').replace(/\.[^.]*$/, '').replace(/^standard input$/, 'list')

async function argumentsOf({ images, charts }: ListSources): Promise<Listing | undefined> {
  if (images.length + charts.length === 0) return undefined
  const to = createListing((path) => resolve(path))
  for (const image of images) await readImageArgument(image, to)
  for (const chart of charts) await readChartArgument(chart, to)
  return to.listing
}

function specOfManifests(paths: readonly string[]): BundleSpec {
  const { spec } = specOfListing('manifests', createListing().listing)
  const manifests = paths.map((path) => ({ path: shownPath(path), local: resolve(path) }))
  return {
    ...spec,
    groups: [{ name: 'manifests', optional: false, charts: [], images: [], files: [], manifests }],
  }
}

/** Where a spec's items stand: the first line that has their text. */
function placesIn({ file, text }: ReadText): SpecPart['placeOf'] {
  const find = lineFinder(text)
  const lookFor = (wanted: string): ListPlace =>
    text.includes(wanted) ? find(wanted, { file, line: 1 }) : { file }
  return (item: SpecImage | SpecChart | SpecFile) => {
    if ('url' in item) return lookFor(item.url)
    if ('repository' in item) return lookFor(item.repository)
    const whole = formatReference(item.reference)
    const short = whole.replace(/^docker\.io\/(?:library\/)?/, '')
    return text.includes(whole) ? lookFor(whole) : lookFor(short)
  }
}

function refuseProblems(listings: readonly Listing[]): void {
  const problems = listings.flatMap((listing) => listing.problems)
  if (problems.length === 0) return
  const lines = problems.slice(0, SHOWN).map(({ at, message }) => `${placeText(at)}: ${message}`)
  if (problems.length > SHOWN) lines.push(`and ${problems.length - SHOWN} more`)
  const [first = ''] = lines
  throw usageError(
    lines.length === 1
      ? first
      : `${problems.length} things cannot be taken as they are listed\n  ${lines.join('\n  ')}`,
    {
      next: 'correct or remove them, and run it again',
    },
  )
}

function refuseNothing(spec: BundleSpec, read: readonly ReadText[], notTaken: readonly NotTaken[]): void {
  if (spec.groups.some(({ images, charts, files }) => images.length + charts.length + files.length > 0))
    return
  const [first] = notTaken
  const where = read.map(({ file }) => file).join(', ')
  if (first === undefined) throw usageError(`${where} names no image, chart or file`, { next: SHORTEST })
  throw usageError(
    `nothing of ${where} can be carried: ${first.name} is a${/^[aeiou]/.test(first.what[0]) ? 'n' : ''} ${first.what[0]}`,
    { next: first.why },
  )
}
