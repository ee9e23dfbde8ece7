import { usageError } from '../../lib/errors.ts'
import { didYouMean } from '../../lib/text/suggest.ts'
import { formatReference, parseReference, repositoryName } from '../../oci/reference.ts'
import { sameVersion } from '../../helm/version.ts'
import type { RootContents } from '../format/contents.ts'
import type { Bundle } from '../format/open.ts'
import { hintsOf } from './hints.ts'
import { nameOf, parseSpec, type BundleSpec, type SpecGroup, type SpecHint } from './spec.ts'

/** What to take of a spec or a bundle; empty lists say nothing. */
export interface Picking {
  /** Globs over names: only what fits one is taken. */
  readonly include: readonly string[]
  /** Globs over names: what fits one is left out. */
  readonly exclude: readonly string[]
  /** Groups of the spec: only these, optional ones too. */
  readonly only: readonly string[]
  readonly without: readonly string[]
}

/** Takes everything. */
export const PICK_ALL: Picking = { include: [], exclude: [], only: [], without: [] }

export interface Picked<Whole> {
  readonly whole: Whole
  /** Images that were left out, as the bundle would call them. */
  readonly lost: readonly string[]
}

/** Whether anything is picked at all. */
export const picksAll = ({ include, exclude, only, without }: Picking): boolean =>
  include.length + exclude.length + only.length + without.length === 0

/**
 * The part of a spec that is wanted.
 * @throws a usage error for a group or a glob that fits nothing, and when nothing is left
 */
export function pickSpec(spec: BundleSpec, pick: Picking): Picked<BundleSpec> {
  const wants = wantsOf(pick, namesIn(spec.groups))
  const isWanted = groupRule(spec.groups, pick)
  const lost: string[] = []
  const groups = spec.groups.filter(isWanted).map((group): SpecGroup => {
    const images = group.images.filter((image) => wants(imageNames(formatReference(nameOf(image)))))
    lost.push(
      ...group.images
        .filter((image) => !images.includes(image))
        .map((image) => formatReference(nameOf(image))),
    )
    return {
      ...group,
      // A group that is requested by name is optional no longer.
      optional: group.optional && !pick.only.includes(group.name),
      images,
      charts: group.charts.filter(({ name, version }) => wants(chartNames(name, version))),
      files: group.files.filter(({ name }) => wants([name])),
    }
  })
  for (const group of spec.groups)
    if (!isWanted(group)) lost.push(...group.images.map((image) => formatReference(nameOf(image))))
  const kept = new Set(groups.flatMap(({ images }) => images.map((image) => formatReference(nameOf(image)))))
  if (groups.every(({ images, charts, files }) => images.length + charts.length + files.length === 0))
    throw nothingLeft()
  const charts = new Set(groups.flatMap((group) => group.charts.map(({ name }) => name)))
  const known = <Item>(map: ReadonlyMap<string, Item>): ReadonlyMap<string, Item> =>
    new Map([...map].filter(([chart]) => charts.has(chart) || chart === spec.consumer?.chart))
  const gone = [...new Set(lost)].filter((name) => !kept.has(name))
  const whole = { ...spec, groups, bindings: known(spec.bindings) }
  const hints = new Map([...known(spec.hints), ...withLeftOut(hintsOf(whole), charts, gone)])
  return { whole: { ...whole, hints }, lost: gone }
}

/**
 * The part of a bundle that is wanted. What no group lists (signatures, images that an export added) goes with the
 * images of its repository, else it stays.
 * @throws a usage error for a group or a glob that fits nothing, and when nothing is left
 */
export function pickBundle(bundle: Bundle, pick: Picking): Picked<Bundle> {
  const { contents, roots } = bundle
  const wants = wantsOf(pick, roots.flatMap(rootNames))
  const byGroup =
    contents === undefined ? undefined : parseSpec(contents.spec, `${contents.name}.yaml`).groups
  if (byGroup === undefined && pick.only.length + pick.without.length > 0)
    throw usageError('a layout of another tool has no groups', {
      next: 'pick by name, with --include or --exclude',
    })
  const isKept = byGroup === undefined ? () => true : keptByGroup(byGroup, groupRule(byGroup, pick))
  const kept = roots.filter((root) => isKept(root) && wants(rootNames(root)))
  if (kept.length === 0) throw nothingLeft()
  const charts = new Set(kept.flatMap((root) => (root.kind === 'chart' ? [root.chart] : [])))
  const lost = roots.filter((root) => root.kind === 'image' && !kept.includes(root)).map(({ name }) => name)
  const whole: Bundle = {
    ...bundle,
    roots: kept,
    contents:
      contents === undefined
        ? undefined
        : { ...contents, roots: kept, bound: contents.bound.filter(({ chart }) => charts.has(chart)) },
  }
  return { whole, lost }
}

// --- internal ---

const LEFT_OUT = 'left out on purpose, with --include, --exclude, --only or --without'

const nothingLeft = () =>
  usageError('nothing is left of it', {
    next: 'see with inspect or plan what there is, and pick by those names',
  })

/** `*` stands for anything, slashes too; `?` for one character. */
const globOf = (glob: string): RegExp =>
  new RegExp(
    `^${glob.replaceAll(/[\s\S]/g, (one) => (one === '*' ? '.*' : one === '?' ? '.' : one.replace(/[.+^${}()|[\]\\]/, '\\$&')))}$`,
  )

/** An image goes by its whole name, without its version, and without the parts that Docker Hub's rules imply. */
function imageNames(name: string): readonly string[] {
  const reference = parseReference(name)
  const long = [name, repositoryName(reference), name.replace(/@.*$/, '')]
  return [...new Set(long.flatMap((one) => [one, one.replace(/^docker\.io\/(?:library\/)?/, '')]))]
}

const chartNames = (name: string, version: string): readonly string[] => [
  name,
  `${name}:${version}`,
  `${name}@${version}`,
]

const rootNames = (root: RootContents): readonly string[] =>
  root.kind === 'image'
    ? imageNames(root.name)
    : root.kind === 'chart'
      ? chartNames(root.chart, root.version)
      : [root.name]

const namesIn = (groups: readonly SpecGroup[]): readonly string[] =>
  groups.flatMap(({ images, charts, files }) => [
    ...images.flatMap((image) => imageNames(formatReference(nameOf(image)))),
    ...charts.flatMap(({ name, version }) => chartNames(name, version)),
    ...files.map(({ name }) => name),
  ])

function wantsOf(
  { include, exclude }: Picking,
  all: readonly string[],
): (names: readonly string[]) => boolean {
  const rules = (flag: string, globs: readonly string[]): readonly RegExp[] =>
    globs.map((glob) => {
      const rule = globOf(glob)
      if (all.some((name) => rule.test(name))) return rule
      const hint = didYouMean(glob, all)
      throw usageError(`${flag} "${glob}" fits nothing${hint === undefined ? '' : `; ${hint}`}`, {
        next: 'names are those that inspect and plan show; * stands for anything, as in "quay.io/*" or "*/nginx:*"',
      })
    })
  const [taken, left] = [rules('--include', include), rules('--exclude', exclude)]
  return (names) =>
    (taken.length === 0 || names.some((name) => taken.some((rule) => rule.test(name)))) &&
    !names.some((name) => left.some((rule) => rule.test(name)))
}

function groupRule(groups: readonly SpecGroup[], { only, without }: Picking): (group: SpecGroup) => boolean {
  const names = groups.map(({ name }) => name)
  for (const [flag, wanted] of [
    ...only.map((one) => ['--only', one]),
    ...without.map((one) => ['--without', one]),
  ]) {
    if (wanted === undefined || names.includes(wanted)) continue
    const hint = didYouMean(wanted, names)
    throw usageError(`${flag ?? ''} "${wanted}" is no group${hint === undefined ? '' : `; ${hint}`}`, {
      next: `the groups are ${names.join(', ')}`,
    })
  }
  return ({ name }) => (only.length === 0 || only.includes(name)) && !without.includes(name)
}

function keptByGroup(
  groups: readonly SpecGroup[],
  isWanted: (group: SpecGroup) => boolean,
): (root: RootContents) => boolean {
  const lists = (group: SpecGroup, root: RootContents): boolean => {
    if (root.kind === 'image')
      return group.images.some((image) => formatReference(nameOf(image)) === root.name)
    if (root.kind === 'file') return group.files.some(({ name }) => name === root.name)
    return group.charts.some(({ name, version }) => name === root.chart && sameVersion(version, root.version))
  }
  const repository = ({ name }: RootContents): string => repositoryName(parseReference(name))
  const repositories = (wanted: boolean): ReadonlySet<string> =>
    new Set(
      groups
        .filter((group) => isWanted(group) === wanted)
        .flatMap(({ images }) => images.map((image) => repositoryName(nameOf(image)))),
    )
  const [kept, dropped] = [repositories(true), repositories(false)]
  return (root) => {
    const listing = groups.filter((group) => lists(group, root))
    if (listing.length > 0) return listing.some(isWanted)
    return root.kind !== 'image' || kept.has(repository(root)) || !dropped.has(repository(root))
  }
}

/** An image that is left out on purpose is not missing. */
const withLeftOut = (
  hints: BundleSpec['hints'],
  charts: ReadonlySet<string>,
  gone: readonly string[],
): readonly (readonly [string, readonly SpecHint[]])[] =>
  gone.length === 0
    ? []
    : [...charts].map((chart) => {
        const left = gone.map((reference): SpecHint => ({
          reference,
          where: 'image',
          reason: LEFT_OUT,
          action: 'ignore',
        }))
        return [chart, [...(hints.get(chart) ?? []), ...left]] as const
      })
