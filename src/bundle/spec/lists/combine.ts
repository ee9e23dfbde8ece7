import { usageError } from '../../../lib/errors.ts'
import { formatPlatform } from '../../../oci/platform.ts'
import { formatReference } from '../../../oci/reference.ts'
import { redactUrl } from '../../../lib/url.ts'
import { canonical } from '../hints.ts'
import {
  nameOf,
  type BundleSpec,
  type SpecChart,
  type SpecFile,
  type SpecGroup,
  type SpecImage,
} from '../spec.ts'
import { placeText, type Listing, type ListPlace } from './listing.ts'

/** A spec from one source, and where its parts stand there. */
export interface SpecPart {
  readonly spec: BundleSpec
  readonly placeOf: (item: SpecImage | SpecChart | SpecFile) => ListPlace
}

/** A list as a spec: its groups in the order in which they come, things listed twice once. */
export function specOfListing(name: string, { images, charts, files }: Listing): SpecPart {
  const places = new Map<object, ListPlace>()
  const groups = new Map<string, Mutable>()
  const groupFor = (group: string | undefined): Mutable => {
    const wanted = clean(group ?? name)
    const found = groups.get(wanted) ?? { images: new Map(), charts: new Map(), files: new Map() }
    groups.set(wanted, found)
    return found
  }
  for (const { image, at, group } of images) {
    places.set(image, at)
    const found = groupFor(group).images
    const before = found.get(imageKey(image))
    const whole = before === undefined ? image : withPlatforms(before, image)
    if (before !== undefined && whole !== before) places.set(whole, places.get(before) ?? at)
    found.set(imageKey(image), whole)
  }
  for (const { chart, at, group } of charts) {
    places.set(chart, at)
    addOnce(groupFor(group).charts, `${chart.name} ${chart.version} ${chart.repository}`, chart)
  }
  for (const { file, at, group } of files) {
    places.set(file, at)
    addOnce(groupFor(group).files, `${file.name} ${file.url}`, file)
  }
  const spec: BundleSpec = {
    name: clean(name),
    version: UNVERSIONED,
    mirrors: new Map(),
    groups: [...groups].map(([group, found]) => ({
      name: group,
      optional: false,
      charts: [...found.charts.values()],
      images: [...found.images.values()],
      files: [...found.files.values()],
    })),
    bindings: new Map(),
    hints: new Map(),
  }
  return { spec, placeOf: (item) => places.get(item) ?? { file: name } }
}

/**
 * All sources as one spec. Each keeps its groups; what is listed alike by several is listed once.
 * @throws a usage error with every pair that contradicts, and both places
 */
export function combine(parts: readonly SpecPart[]): BundleSpec {
  checkConflicts(parts)
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only.spec
  const consumers = parts.flatMap(({ spec }) => spec.consumer ?? [])
  if (new Set(consumers.map(({ chart }) => chart)).size > 1) {
    throw usageError(
      `two specs have a consumer chart: ${consumers.map(({ chart }) => chart).join(' and ')}`,
      {
        next: 'export them apart',
      },
    )
  }
  const [consumer] = consumers
  const groups: SpecGroup[] = []
  for (const { spec } of parts) {
    for (const group of spec.groups) {
      const images =
        spec.platforms === undefined
          ? group.images
          : group.images.map((image) => ({ platforms: spec.platforms, ...image }) as SpecImage)
      groups.push({ ...group, images, name: freeName(group.name, groups) })
    }
  }
  const versions = [...new Set(parts.flatMap(({ spec }) => spec.version ?? []))].filter(
    (one) => one !== UNVERSIONED,
  )
  return {
    name: [...new Set(parts.map(({ spec }) => spec.name))].join('-and-').slice(0, 100),
    version: versions.length === 0 ? UNVERSIONED : versions.join('+').slice(0, 100),
    mirrors: new Map(parts.flatMap(({ spec }) => [...spec.mirrors])),
    groups,
    bindings: new Map(parts.flatMap(({ spec }) => [...spec.bindings])),
    hints: new Map(parts.flatMap(({ spec }) => [...spec.hints])),
    ...(consumer === undefined ? {} : { consumer }),
  }
}

/** Letters, digits, `.`, `_` and `-`, as names of specs and groups have. */
export const clean = (name: string): string =>
  name
    .replaceAll(/[^a-zA-Z0-9._-]+/g, '-')
    .replace(/^[^a-zA-Z0-9]+/, '')
    .slice(0, 100)
    .replace(/^$/, 'list')

// --- internal ---

interface Mutable {
  readonly images: Map<string, SpecImage>
  readonly charts: Map<string, SpecChart>
  readonly files: Map<string, SpecFile>
}

function addOnce<Item>(map: Map<string, Item>, key: string, item: Item): void {
  if (!map.has(key)) map.set(key, item)
}

const platformsKey = ({ platforms }: SpecImage): string =>
  platforms === undefined ? 'the usual platforms' : platforms.map(formatPlatform).toSorted().join(', ')

/** An item for each platform, as Hauler has it, is one image for several. One for the usual platforms is another wish. */
const imageKey = (image: SpecImage): string =>
  `${formatReference(nameOf(image))} ${formatReference(image.reference)} ${image.platforms === undefined}`

function withPlatforms(before: SpecImage, { platforms = [] }: SpecImage): SpecImage {
  const had = new Set(before.platforms?.map(formatPlatform))
  const more = platforms.filter((platform) => !had.has(formatPlatform(platform)))
  return more.length === 0 ? before : { ...before, platforms: [...(before.platforms ?? []), ...more] }
}

function freeName(name: string, groups: readonly SpecGroup[]): string {
  let free = name
  for (let at = 2; groups.some((group) => group.name === free); at += 1) free = `${name}-${at}`
  return free
}

const SHOWN = 25
/** Of lists that have none; a spec has to have one. */
const UNVERSIONED = '1'

/** What one name stands for must not differ between two places. */
function checkConflicts(parts: readonly SpecPart[]): void {
  const said = new Map<string, { readonly what: string; readonly at: ListPlace }>()
  const conflicts: string[] = []
  const note = (key: string, name: string, what: string, at: ListPlace): void => {
    const before = said.get(key)
    if (before === undefined) said.set(key, { what, at })
    else if (before.what !== what)
      conflicts.push(`${name}: ${before.what} in ${placeText(before.at)}, ${what} in ${placeText(at)}`)
  }
  for (const { spec, placeOf } of parts) {
    for (const { images, charts, files } of spec.groups) {
      for (const image of images) {
        const at = placeOf(image)
        const name = nameOf(image)
        const text = formatReference(name)
        const { digest, tag } = image.reference
        note(`from ${text}`, text, formatReference(image.reference), at)
        note(`for ${text}`, text, platformsKey(image), at)
        if (digest !== undefined && tag !== undefined)
          note(
            `pin ${canonical({ registry: name.registry, repository: name.repository, tag })}`,
            text.replace(/@.*/, ''),
            digest,
            at,
          )
      }
      for (const chart of charts)
        note(
          `chart ${chart.name} ${chart.version}`,
          `chart ${chart.name} ${chart.version}`,
          shownRepository(chart.repository),
          placeOf(chart),
        )
      for (const file of files)
        note(`file ${file.name}`, `file ${file.name}`, redactUrl(file.url), placeOf(file))
    }
  }
  if (conflicts.length === 0) return
  const more = conflicts.length > SHOWN ? [`and ${conflicts.length - SHOWN} more`] : []
  throw usageError(
    `${conflicts.length === 1 ? 'a name is' : `${conflicts.length} names are`} listed twice, and not alike\n  ${[...conflicts.slice(0, SHOWN), ...more].join('\n  ')}`,
    { next: 'keep one of each pair' },
  )
}

const shownRepository = (repository: string): string =>
  URL.canParse(repository) ? redactUrl(repository) : repository
