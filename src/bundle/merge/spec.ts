import { sameVersion } from '../../helm/version.ts'
import { parsePlatform } from '../../oci/platform.ts'
import { formatReference } from '../../oci/reference.ts'
import type { Choice } from './choice.ts'
import type { MergePart } from './part.ts'
import type { BundleSpec, SpecChart, SpecFile, SpecGroup, SpecImage } from '../spec/spec.ts'
import { nameOf } from '../spec/spec.ts'
import { specText } from '../spec/print.ts'

/** The spec of several, and which of its optional groups are in the bundle. */
export interface JoinedSpec {
  readonly name: string
  readonly version?: string
  readonly text: string
  readonly groups: readonly string[]
  /** Groups that are left out of it although they are not optional. */
  readonly without?: readonly string[]
  /** For images that name none of their own. */
  readonly platforms?: readonly string[] | 'all'
}

/**
 * One spec that lists what the parts list, each thing once, with what they know of the charts. Equal specs stay as they
 * were written.
 */
export function joinSpecs(parts: readonly MergePart[], choice: Choice): JoinedSpec {
  const [first] = parts
  if (first === undefined) throw new Error('nothing to join')
  const platforms = commonPlatforms(parts)
  if (parts.every(({ contents, groups }) => isSame(contents.spec, groups, first))) {
    const { name, version, spec: text } = first.contents
    const without = first.lock.export?.without
    const common = {
      groups: takenIn(first),
      ...(without === undefined ? {} : { without }),
      ...withPlatforms(platforms),
    }
    return { name, ...(version === undefined ? {} : { version }), text, ...common }
  }
  const { groups, taken } = joinGroups(parts, choice, platforms)
  const charts = groups.flatMap((group) => group.charts)
  const { ranked } = choice
  const consumer = ranked.find(({ spec }) => spec.consumer !== undefined)?.spec.consumer
  const keys = new Set(charts.map(({ key }) => key))
  const version = joined(
    parts.map(({ contents }) => contents.version ?? ''),
    '+',
  )
  const spec: BundleSpec = {
    name: joined(
      parts.map(({ contents }) => contents.name.replaceAll(/[^a-zA-Z0-9._-]/g, '-')),
      '-and-',
    ),
    version: version === '' ? '1' : version,
    mirrors: joinMirrors(ranked),
    groups,
    bindings: known(ranked, charts, (part) => part.spec.bindings),
    hints: known(
      ranked,
      consumer === undefined ? charts : [...charts, { name: consumer.chart, version: '' }],
      (part) => part.spec.hints,
    ),
    ...(consumer === undefined
      ? {}
      : { consumer: { ...consumer, sets: new Map([...consumer.sets].filter(([key]) => keys.has(key))) } }),
  }
  return {
    name: spec.name,
    ...(spec.version === undefined ? {} : { version: spec.version }),
    text: specText(spec),
    groups: taken,
    ...withPlatforms(platforms),
  }
}

// --- internal ---

const isSame = (text: string, groups: readonly SpecGroup[], first: MergePart): boolean =>
  text === first.contents.spec && Bun.deepEquals(groups, first.groups)

const takenIn = ({ groups }: MergePart): readonly string[] =>
  groups
    .filter(({ optional }) => optional)
    .map(({ name }) => name)
    .toSorted()

const withPlatforms = (platforms: JoinedSpec['platforms']) => (platforms === undefined ? {} : { platforms })

/** What most parts say apart, in 100 characters at most, as names and versions of a spec may have. */
const joined = (texts: readonly string[], by: string): string =>
  [...new Set(texts.filter((text) => text !== ''))].join(by).slice(0, 100)

/** What all parts took; where they differ, `all` or the first's, and each image of another part says its own. */
function commonPlatforms(parts: readonly MergePart[]): JoinedSpec['platforms'] {
  const said = parts.map(({ lock }) => lock.export?.platforms)
  if (said.includes(undefined)) return undefined
  return said.includes('all') ? 'all' : said[0]
}

interface Joining {
  readonly groups: SpecGroup[]
  readonly taken: string[]
}

function joinGroups(
  parts: readonly MergePart[],
  choice: Choice,
  platforms: JoinedSpec['platforms'],
): Joining {
  const owner = ownersIn(choice)
  const groups: SpecGroup[] = []
  const taken: string[] = []
  for (const part of parts) {
    for (const group of part.spec.groups) {
      const isTaken = part.groups.includes(group)
      const own = {
        ...group,
        // One that was left out by name stays out of the joined spec until somebody wants it.
        optional: group.optional || !isTaken,
        charts: group.charts.filter((chart) => owner(chartId(chart)) === part && !isLost(chart, choice)),
        images: group.images
          .filter((image) => owner(imageId(image)) === part)
          .map((image) => withOwnPlatforms(image, part, platforms)),
        files: group.files.filter((file) => owner(fileId(file)) === part),
      }
      if (own.charts.length + own.images.length + own.files.length === 0) continue
      const at = groups.findIndex(
        ({ name, optional }) =>
          name === group.name && optional === own.optional && isTaken === (!optional || taken.includes(name)),
      )
      const there = groups[at]
      if (there !== undefined) {
        groups[at] = {
          ...there,
          charts: [...there.charts, ...own.charts],
          images: [...there.images, ...own.images],
          files: [...there.files, ...own.files],
          ...joinedManifests(there, own),
        }
        continue
      }
      const name = freeName(group.name, groups)
      groups.push({ ...own, name })
      if (isTaken && own.optional) taken.push(name)
    }
  }
  return { groups, taken: taken.toSorted() }
}

/** What two parts carry alike is carried once. */
function joinedManifests(there: SpecGroup, own: SpecGroup): Pick<SpecGroup, 'manifests'> {
  const all = [...(there.manifests ?? []), ...(own.manifests ?? [])]
  if (all.length === 0) return {}
  return { manifests: all.filter((one, at) => all.findIndex(({ path }) => path === one.path) === at) }
}

function freeName(name: string, groups: readonly SpecGroup[]): string {
  let free = name
  for (let at = 2; groups.some((group) => group.name === free); at += 1) free = `${name}-${at}`
  return free
}

const chartId = ({ name, version }: SpecChart): string => `chart ${name}:${version.replace(/^v/, '')}`
const imageId = (image: SpecImage): string => `image ${formatReference(nameOf(image))}`
const fileId = ({ name }: SpecFile): string => `file ${name}`

/** Whose listing of a thing stands: of a part that has it, the one that wins. */
function ownersIn({ ranked }: Choice): (id: string) => MergePart | undefined {
  const owners = new Map<string, MergePart>()
  const idsOf = (groups: readonly SpecGroup[]): readonly string[] =>
    groups.flatMap(({ charts, images, files }) => [
      ...charts.map(chartId),
      ...images.map(imageId),
      ...files.map(fileId),
    ])
  for (const part of ranked) for (const id of idsOf(part.groups)) if (!owners.has(id)) owners.set(id, part)
  for (const part of ranked)
    for (const id of idsOf(part.spec.groups)) if (!owners.has(id)) owners.set(id, part)
  return (id) => owners.get(id)
}

const isLost = ({ name, version }: SpecChart, { lost }: Choice): boolean =>
  [...lost].some((one) => {
    const colon = one.lastIndexOf(':')
    return one.slice(0, colon) === name && sameVersion(one.slice(colon + 1), version)
  })

function withOwnPlatforms(
  image: SpecImage,
  { lock }: MergePart,
  platforms: JoinedSpec['platforms'],
): SpecImage {
  const own = lock.export?.platforms
  if (image.platforms !== undefined || own === undefined || own === 'all' || Bun.deepEquals(own, platforms))
    return image
  return { ...image, platforms: own.map((name) => parsePlatform(name)) }
}

function joinMirrors(ranked: readonly MergePart[]): BundleSpec['mirrors'] {
  const mirrors = new Map<string, readonly string[]>()
  for (const { spec } of ranked)
    for (const [host, list] of spec.mirrors)
      mirrors.set(host, [...new Set([...(mirrors.get(host) ?? []), ...list])])
  return mirrors
}

/** What the first part that lists a chart in this version, and knows something of it, knows. */
function known<Item>(
  ranked: readonly MergePart[],
  charts: readonly { readonly name: string; readonly version: string }[],
  of: (part: MergePart) => ReadonlyMap<string, readonly Item[]>,
): ReadonlyMap<string, readonly Item[]> {
  const found = charts.flatMap(({ name, version }): [string, readonly Item[]][] => {
    const knowing = ranked.find(
      (part) =>
        of(part).has(name) &&
        (version === '' ||
          part.spec.groups.some((group) =>
            group.charts.some((chart) => chart.name === name && sameVersion(chart.version, version)),
          )),
    )
    const items = knowing === undefined ? undefined : of(knowing).get(name)
    return items === undefined ? [] : [[name, items]]
  })
  return new Map(found)
}
