// Makes one bundle of several.
import { integrityError } from '../../lib/errors.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { walk } from '../../oci/graph.ts'
import { formatReference } from '../../oci/reference.ts'
import type { Absent, RootContents } from '../format/contents.ts'
import { LOCK_FORMAT, type Lock } from '../spec/lock-file.ts'
import { choose, type Choice, type Chosen, type Preference } from './choice.ts'
import { contentIn, type MergePart } from './part.ts'
import { joinSpecs, type JoinedSpec } from './spec.ts'
import { rootManifest } from '../format/open.ts'
import type { Plan } from '../format/plan.ts'
import type { ImporterProgram } from '../format/importer.ts'
import { chartPath, type Root } from '../format/root.ts'
import { layOut, type Prepared } from '../export/prepared.ts'
import { refuseSharedTags } from '../format/destinations/shared-tags.ts'
import { imagesOf, nameOf, parseSpec, selectGroups } from '../spec/spec.ts'

export interface MergeOptions {
  /** Who wins where bundles differ; undefined: nobody, it is an error. */
  readonly prefer?: Preference
  /** Takes only what the last part lists; the others give the blobs it leaves out. */
  readonly fill?: boolean
}

/**
 * Lays out one bundle of what several have. Nothing is written, and no layer is read. Blobs that one part leaves out
 * come from another that has them; what none has is left out of the whole as well.
 * @throws a usage error for parts that contradict each other; an integrity error for content that is nowhere
 */
export async function prepareMerge(
  parts: readonly MergePart[],
  { prefer, fill = false }: MergeOptions,
): Promise<Prepared> {
  const listed = fill ? parts.slice(-1) : parts
  const choice = choose(listed, prefer)
  refuseSharedTags(choice.chosen.map(({ root }) => root))
  const spec = joinSpecs(listed, choice)
  const ordered = inOrder(choice.chosen, spec)
  const bound = ordered.flatMap(({ root }) =>
    choice.bound.filter((one) => root.kind === 'chart' && isOf(one, root)),
  )
  const proof = ordered.flatMap(({ root }) => {
    const proofs = choice.ranked.flatMap(({ contents }) => contents.proof)
    return root.kind === 'chart' ? (proofs.find((one) => isOf(one, root)) ?? []) : []
  })
  const lock = joinLocks(ordered, listed, spec, { bound, proof })
  const programs = programsOf(choice)
  const roots: Root[] = []
  for (const { root, part } of ordered) roots.push(await rootOf(root, part))
  const absent = absentFrom(roots, parts)
  const contents = ordered.map(({ root }) => root)
  return layOut(
    { spec, roots, contents, bound, proof, missing: [], absent, programs, lock, findings: [] },
    (laidOut) => fromParts(laidOut, parts),
  )
}

// --- internal ---

const isOf = (
  one: { readonly chart: string; readonly version: string },
  root: { readonly chart: string; readonly version: string },
): boolean => one.chart === root.chart && one.version === root.version

/** As an export of the joined spec has them: images, charts, files in its order, then images it does not list. */
function inOrder(chosen: readonly Chosen[], { text, name, groups, without }: JoinedSpec): readonly Chosen[] {
  const selected = selectGroups(parseSpec(text, `${name}.yaml`), groups, without)
  const ids = [
    ...imagesOf(selected).map((image) => `image ${formatReference(nameOf(image))}`),
    ...selected.flatMap(({ charts }) => charts.map((chart) => `chart ${chart.name}`)),
    ...selected.flatMap(({ files }) => files.map((file) => `file ${file.name}`)),
  ]
  const rank = new Map(ids.toReversed().map((id, at) => [id, ids.length - at]))
  const rankOf = ({ kind, name: of, ...root }: RootContents): number =>
    rank.get(`${kind} ${'chart' in root ? root.chart : of}`) ?? ids.length + 1
  const sorted = chosen.map((one) => ({ one, at: rankOf(one.root) }))
  return sorted
    .toSorted((a, b) => {
      if (a.at !== b.at || a.at <= ids.length) return a.at - b.at
      return a.one.root.name < b.one.root.name ? -1 : 1
    })
    .map(({ one }) => one)
}

function joinLocks(
  ordered: readonly Chosen[],
  listed: readonly MergePart[],
  spec: JoinedSpec,
  found: Pick<Prepared, 'bound' | 'proof'>,
): Lock {
  const exports = listed.map(({ lock }) => lock.export)
  const { platforms } = spec
  return {
    format: LOCK_FORMAT,
    name: spec.name,
    ...(spec.version === undefined ? {} : { version: spec.version }),
    images: ordered
      .flatMap(({ root, part }) =>
        root.kind === 'image' ? part.lock.images.filter(({ name }) => name === root.name) : [],
      )
      .toSorted(byName),
    charts: ordered
      .flatMap(({ root, part }) =>
        root.kind === 'chart'
          ? part.lock.charts.filter(({ name, version }) => name === root.chart && version === root.version)
          : [],
      )
      .toSorted(byName),
    files: ordered
      .flatMap(({ root, part }) =>
        root.kind === 'file' ? part.lock.files.filter(({ name }) => name === root.name) : [],
      )
      .toSorted(byName),
    ...(platforms === undefined
      ? {}
      : {
          export: {
            platforms,
            groups: spec.groups,
            ...(spec.without === undefined ? {} : { without: spec.without }),
            referrers: exports.some((one) => one?.referrers === true),
            ...(exports.some((one) => one?.attestations === 'drop') ? { attestations: 'drop' as const } : {}),
            spec: spec.text,
            ...found,
          },
        }),
  }
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0

async function rootOf(root: RootContents, { bundle, name: file }: MergePart): Promise<Root> {
  const { source } = bundle
  const { name, digest, size } = root
  if (root.kind === 'file') {
    return { kind: 'file', name, source, descriptor: { mediaType: 'application/octet-stream', digest, size } }
  }
  const graph = await walk(source, await rootManifest(bundle, root), file)
  if (root.kind === 'image')
    return { kind: 'image', name, graph, source, ...(root.chart === undefined ? {} : { chart: root.chart }) }
  const { chart, version, repository } = root
  const tgz = await bundle.content(chartPath(chart, version))
  return { kind: 'chart', name, chart, version, repository, graph, source, tgz }
}

/** Blobs that some part leaves out and no part has. */
function absentFrom(roots: readonly Root[], parts: readonly MergePart[]): readonly Absent[] {
  const left = new Set(parts.flatMap(({ contents }) => (contents.absent ?? []).map(({ digest }) => digest)))
  const readers = parts.map(contentIn)
  const needed = roots.flatMap((root) =>
    root.kind === 'file' ? [] : root.graph.nodes.flatMap(({ blobs }) => blobs),
  )
  const absent = new Map(
    needed
      .filter((blob) => left.has(blob.digest) && readers.every((read) => read(blob) === undefined))
      .map(({ digest, size }) => [digest, { digest, size }]),
  )
  return [...absent.values()].toSorted((a, b) => (a.digest < b.digest ? -1 : 1))
}

/** Every part that has a blob can give it: when it is damaged in one, another serves. */
function fromParts(layout: Plan, parts: readonly MergePart[]): Plan {
  const readers = parts.map(contentIn)
  const sourcesOf = (blob: Descriptor) => readers.flatMap((read) => read(blob) ?? [])
  const transfers = layout.transfers.map((transfer) => ({
    ...transfer,
    sources: sourcesOf(transfer.descriptor),
  }))
  const lacking = transfers.filter(({ sources }) => sources.length === 0)
  if (lacking.length > 0) {
    const names = lacking.slice(0, 5).map(({ path, name }) => `${path} of ${name}`)
    throw integrityError(`no bundle has ${names.join(', ')}${lacking.length > 5 ? ', …' : ''}`, {
      next: 'verify the bundles, and copy or export the damaged one again',
    })
  }
  return { ...layout, transfers }
}

function programsOf({ ranked }: Choice): readonly ImporterProgram[] {
  const programs = new Map<string, ImporterProgram>()
  for (const { contents, bundle } of ranked) {
    for (const program of contents.programs ?? []) {
      if (!programs.has(program.path)) programs.set(program.path, { ...program, source: bundle.source })
    }
  }
  return [...programs.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1))
}
