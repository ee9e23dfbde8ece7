import type { Layout } from '../bundle/format/destination.ts'
import { shardOf, type ShardChoice } from '../bundle/format/destinations/shards.ts'
import type { Bundle } from '../bundle/format/open.ts'
import type { Repair } from '../bundle/import/compare.ts'
import { importRoots, type ImportedRoot } from '../bundle/import/import.ts'
import { importPipe } from '../bundle/import/import-stream.ts'
import { checkValuesPlace, writeValues, type WrittenValues } from '../bundle/import/write-values.ts'
import { POST_RENDERER, type InstallSteps } from '../bundle/charts/steps/steps.ts'
import type { Medium } from '../bundle/media/medium.ts'
import { openBundlePipe } from '../bundle/media/open-stream.ts'
import {
  checkSignature,
  checkTrustOptions,
  type CheckedSignature,
  type SignatureOptions,
} from '../bundle/media/trust.ts'
import { withBundleOn } from '../bundle/media/with-bundle.ts'
import type { Surroundings } from '../bundle/run/surroundings.ts'
import { usageError } from '../lib/errors.ts'
import type { Picking } from '../bundle/spec/pick.ts'
import { bundleReferences } from '../bundle/site/rehearse/references.ts'
import { rehearse, type Rehearsal } from '../bundle/site/rehearse/rehearse.ts'
import { helmVersion } from '../setup/helm.ts'
import { pickedFrom } from '../setup/pick.ts'
import { connectTarget, type OpenedTarget, type TargetSettings } from '../setup/target.ts'
import type { ImportResult } from './results.ts'

/** Everything that decides what an import does. */
export interface ImportRequest {
  readonly layout: Layout
  readonly target: TargetSettings
  readonly trust: SignatureOptions
  /** What to take of the bundle. */
  readonly pick: Picking
  readonly repair: Repair
  /** Imports this part of the bundle only, beside other runs that import the rest; no values are written. */
  readonly shard?: ShardChoice
  /** Pulls every image of it as nodes will, when all is there. */
  readonly rehearse?: boolean
  /** File of the values override. */
  readonly values: string
  readonly pinDigests: boolean
  /** The bundle as it was named, and flags for reading it again, for commands that do; absent for a pipe. */
  readonly readAgain?: { readonly bundle: string; readonly flags: readonly string[] }
}

/** An import that is done. */
export interface ImportDone {
  /** File name of the bundle; absent when none lay between the source and the registry. */
  readonly name?: string
  readonly layout: Layout
  readonly bundle: Bundle
  readonly imported: readonly ImportedRoot[]
  /** Which part of the bundle it was, and of how many images and charts. */
  readonly shard?: ShardChoice & { readonly items: number }
  /** What the pulls of nodes came to. */
  readonly rehearsal?: Rehearsal
  /** Whose signature was checked. */
  readonly signed?: CheckedSignature | undefined
  /** Absent for a layout of another tool. */
  readonly values: WrittenValues | undefined
  readonly seconds: number
}

/** Imports the bundle on a medium: out of it, or while it comes when it can be read only once. */
export async function importFrom(
  medium: Medium,
  request: ImportRequest,
  around: Surroundings,
): Promise<ImportDone> {
  const { layout, pick, repair, shard, trust } = request
  const name = { name: medium.name }
  if (medium.can.seek) {
    return withBundleOn(medium, trust, async ({ bundle: whole, signed }) => {
      const bundle = pickedFrom(whole, pick, around)
      if (bundle.contents !== undefined && shard === undefined) await checkValuesPlace(request.values)
      return withTarget(request, around, async (opened) => {
        const { target, network } = opened
        const started = performance.now()
        if (shard !== undefined) {
          const part = await shardOf(bundle, layout, shard)
          const imported = await importRoots(part, target, { ...network, layout, repair })
          const rehearsed = await rehearsedBy(part, request, opened)
          const items = bundle.roots.filter(({ kind }) => kind !== 'file').length
          const seconds = (performance.now() - started) / 1000
          return {
            ...name,
            signed,
            layout,
            bundle,
            imported,
            values: undefined,
            seconds,
            shard: { ...shard, items },
            ...rehearsed,
          }
        }
        const imported = await importRoots(bundle, target, { ...network, layout, repair })
        const rehearsed = await rehearsedBy(bundle, request, opened)
        return {
          ...name,
          signed,
          ...rehearsed,
          ...(await finishImport(bundle, imported, started, request, around)),
        }
      })
    })
  }
  if (shard !== undefined) {
    throw usageError('--shard needs a bundle that several runs can read, not a pipe', {
      next: 'save the bundle to S3 or to a file first',
    })
  }
  if (repair === 'wrong') {
    throw usageError('--deep needs a bundle that can be read twice, not a pipe', {
      next: 'save the bundle to a file first',
    })
  }
  checkTrustOptions(medium, trust)
  return medium.stream((bytes) =>
    // Before anything is read: a login that fails is known at once.
    withTarget(request, around, async ({ target, network }) => {
      const started = performance.now()
      const pipe = await openBundlePipe(bytes)
      const signed = await checkSignature(pipe.bundle, medium, trust)
      const bundle = pickedFrom(pipe.bundle, pick, around)
      await checkValuesPlace(request.values)
      const imported = await importPipe({ ...pipe, bundle }, target, { ...network, layout, repair })
      return { ...name, signed, ...(await finishImport(bundle, imported, started, request, around)) }
    }),
  )
}

/** Writes the values override, once everything is in the registry. @param started by `performance.now()` */
export async function finishImport(
  bundle: Bundle,
  imported: readonly ImportedRoot[],
  started: number,
  {
    layout,
    values,
    pinDigests,
    readAgain,
  }: Pick<ImportRequest, 'layout' | 'values' | 'pinDigests' | 'readAgain'>,
  around: Pick<Surroundings, 'env'>,
): Promise<ImportDone> {
  const helm = await helmVersion(around)
  const written = await writeValues(values, bundle, layout, {
    pinDigests,
    ...(helm === undefined ? {} : { helm }),
    ...(readAgain === undefined ? {} : { source: readAgain }),
  })
  return { layout, bundle, imported, values: written, seconds: (performance.now() - started) / 1000 }
}

/** What is where, for programs. */
export const landedIn = ({
  layout,
  imported,
  values,
  seconds,
  shard,
}: ImportDone): Omit<ImportResult, 'bundle'> => ({
  registry: layout.registry,
  seconds,
  ...(shard === undefined ? {} : { shard }),
  roots: imported.map(({ root, repository, tags, outcome }) => ({
    kind: root.kind,
    name: root.name,
    digest: root.digest,
    repository,
    tags,
    outcome,
  })),
  ...(values === undefined
    ? {}
    : {
        values: values.file,
        chartValues: values.charts,
        unbound: values.unbound,
        ...(values.manifests === undefined ? {} : { manifests: values.manifests }),
        files: filesBeside(values.steps),
        next: values.steps.commands,
        script: values.steps.script,
        uncovered: values.steps.uncovered,
      }),
})

/** What was written beside the overrides for the commands to come. */
export const filesBeside = ({ files, postRender }: InstallSteps): readonly string[] => [
  ...files.keys(),
  ...(postRender ? [`${POST_RENDERER}/`] : []),
]

export const importResult = (done: ImportDone): ImportResult => ({
  bundle: done.name ?? '',
  ...landedIn(done),
  ...(done.rehearsal === undefined ? {} : { rehearsal: done.rehearsal }),
  ...(done.signed === undefined ? {} : { signedBy: done.signed }),
})

/** The last step of an import that is asked for it: what was pushed is pulled as a node does. */
async function rehearsedBy(
  { roots }: Bundle,
  { layout, rehearse: wanted }: ImportRequest,
  { network, ecr }: OpenedTarget,
): Promise<{ readonly rehearsal?: Rehearsal }> {
  if (wanted !== true) return {}
  const rehearsal = await rehearse(bundleReferences(roots, layout), {
    ...network,
    registry: layout.registry,
    reachable: [],
    ...(ecr === undefined ? {} : { ecr }),
  })
  return { rehearsal }
}

/** Connects to the registry, for as long as `use` runs. */
export async function withTarget<Result>(
  { target }: Pick<ImportRequest, 'target'>,
  around: Surroundings,
  use: (opened: OpenedTarget) => Promise<Result>,
): Promise<Result> {
  const opened = await connectTarget(target, around)
  try {
    return await use(opened)
  } finally {
    opened.close()
  }
}
