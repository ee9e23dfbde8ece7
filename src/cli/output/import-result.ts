import type { ImportDone } from '../../api/import-from.ts'
import type { ImportedRoot } from '../../bundle/import/import.ts'
import {
  defaultValuesFile,
  type WrittenManifests,
  type WrittenValues,
} from '../../bundle/import/write-values.ts'
import type { ImportPreview } from '../../api/import-preview.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import { rehearsalText } from './rehearsal-text.ts'
import { signedByLines } from './signed-by.ts'
import { filesBeside } from '../../api/import-from.ts'
import type { InstallSteps } from '../../bundle/charts/steps/steps.ts'
import type { Bundle } from '../../bundle/format/open.ts'
import { FailuresError } from '../../bundle/run/failures.ts'
import { BundleError } from '../../lib/errors.ts'
import { verdictLine, verdictLines } from '../../bundle/charts/judge/verdict.ts'
import type { ArgsDef } from '../args/flags.ts'
import type { CommandSession } from '../session.ts'
import { nextSteps } from '../ui/next.ts'
import { shortened, table } from '../ui/table.ts'
import { tallyText } from '../ui/words.ts'

/** Flags for the override that is written when everything is there. */
export const valuesArgs = {
  values: {
    type: 'string',
    hint: 'file',
    default: defaultValuesFile,
    section: 'Output',
    description: 'Where to write the values override; one file a chart goes into a folder beside it',
  },
  pinDigests: {
    type: 'boolean',
    description:
      'Write digests into the values where a chart has a place for them (needs a bundle proven by helm)',
  },
} as const satisfies ArgsDef

/** Shows what is where, and what to do next. */
export function showImport(
  { name, bundle, imported, layout, seconds, rehearsal, shard, signed, values }: ImportDone,
  data: object,
  session: CommandSession,
): void {
  const { proof } = bundle.contents ?? {}
  const hasCharts = imported.some(({ root }) => root.kind === 'chart')
  const brief = `${count(imported, 'pushed')} pushed, ${count(imported, 'unchanged')} unchanged, in ${seconds.toFixed(1)} s${tallyText(session.tally)}.`
  const text = (): string =>
    [
      ...landed(imported, layout.registry, session),
      brief,
      ...shardLines(imported.length, shard),
      ...signedByLines(signed),
      ...valuesLines(values, (proof?.length ?? 0) > 0),
      ...(shard !== undefined || proof === undefined || !hasCharts
        ? []
        : verdictLines(proof, chartNames(bundle))),
      ...manifestLines(values?.manifests),
      // Without a bundle there is nothing to prove later.
      ...(shard !== undefined ||
      proof === undefined ||
      (proof.length === 0 && (name === undefined || !hasCharts))
        ? []
        : [verdictLine(proof)]),
      ...(rehearsal === undefined ? [] : [rehearsalText(rehearsal).trimEnd()]),
      ...stepLines(values?.steps, session),
      '',
    ].join('\n')
  session.result(data, text, values === undefined ? brief : `${brief} Wrote ${values.file}.`)
  refuseUncovered(values?.steps)
}

/** Prints what an import would do. */
export function showPreview(preview: ImportPreview, session: CommandSession): void {
  const { registry, roots, bytes } = preview
  const missing = roots.filter(({ state }) => state === 'missing')
  const brief = `${missing.length} of ${roots.length} would be pushed, ${formatBytes(bytes)} at the most. Nothing was changed.`
  const text = (): string => {
    const all = roots.map(({ kind, name, repository, tags, state }) => [
      kind,
      `${registry}/${repository}${tags.length === 0 ? `@${name.split('@')[1] ?? ''}` : `:${tags.at(-1) ?? ''}`}`,
      state,
    ])
    const { rows, more } = shortened(all, session)
    return [table(['kind', 'would be at', 'state'], rows, session.columns), ...more, brief, ''].join('\n')
  }
  session.result(preview, text, brief)
}

// --- internal ---

const chartNames = ({ roots }: Bundle): readonly string[] =>
  roots.flatMap((root) => (root.kind === 'chart' ? [root.chart] : []))

function stepLines(steps: InstallSteps | undefined, session: CommandSession): readonly string[] {
  if (steps === undefined) return []
  const { commands, script } = steps
  return [
    nextSteps(commands, session),
    ...(script.length === 0 ? [] : ["Or in the product's own way:", ...script.map((line) => `  ${line}`)]),
  ]
}

/**
 * Everything is in the registry, and yet some pod would not start.
 * @throws FailuresError that names each reference, who pulls it and what to do
 */
function refuseUncovered(steps: InstallSteps | undefined): void {
  const uncovered = steps?.uncovered ?? []
  if (uncovered.length === 0) return
  throw new FailuresError(
    `everything is in the registry, but ${plural(uncovered.length, 'image')} that the installation pulls would still come from outside`,
    uncovered.map(({ chart, reference, at, path, verdict, remedy }) => ({
      kind: 'image',
      name: reference,
      error: new BundleError(
        `${chart} pulls it (${path === undefined ? '' : `${path}, `}${at}), and ${verdict === 'not-bundled' ? 'the bundle does not have it' : 'nothing that was written reaches it'}`,
        { kind: 'failed', next: remedy },
      ),
    })),
    'list the chart kyverno, whose policy rewrites images of all pods, and export again; or give the nodes a mirror with ' +
      'credentials: ma-bundle values --format containerd',
  )
}

/** One part of several: what the others do is not known here. */
const shardLines = (own: number, shard: ImportDone['shard']): readonly string[] =>
  shard === undefined
    ? []
    : [
        `This was shard ${shard.index} of ${shard.count}: ${own} of ${plural(shard.items, 'image and chart', 'images and charts')}.`,
        'When all shards have ended, run the import once without --shard: it checks that everything is there, and writes the values.',
      ]

const count = (imported: readonly ImportedRoot[], outcome: ImportedRoot['outcome']): number =>
  imported.filter((one) => one.outcome === outcome).length

function valuesLines(values: WrittenValues | undefined, isJudged: boolean): readonly string[] {
  if (values === undefined) return ['It is a layout of another tool: no charts, no values override.']
  const { file, folder, charts, steps, relies } = values
  // The verdict names them better.
  const unbound = isJudged ? [] : values.unbound
  const extra = filesBeside(steps)
  const pulled = unbound.filter(({ off }) => !off)
  const off = unbound.length - pulled.length
  return [
    `Wrote ${file}, for the chart that installs the others${charts.length === 0 ? '' : `, and ${plural(charts.length, 'file')} for single charts in ${folder}/`}.`,
    ...(extra.length === 0 ? [] : [`Wrote ${extra.join(', ')} there, for the commands below.`]),
    ...(pulled.length === 0 ? [] : ['Not bound, because the bundle does not have the image:']),
    ...pulled.map(({ chart, path, reference }) => `  ${chart} ${path}: ${reference}`),
    ...(relies.length === 0 ? [] : ['The override is right for these values of the charts only:']),
    ...relies.map(({ chart, text }) => `  ${chart}: ${text}`),
    ...(off === 0
      ? []
      : [
          `  ${plural(off, 'more place')} would need images that the bundle does not have, once switched on; --json lists them.`,
        ]),
  ]
}

function manifestLines(manifests: WrittenManifests | undefined): readonly string[] {
  if (manifests === undefined) return []
  const { folder, files } = manifests
  const replaced = files.reduce((sum, file) => sum + file.replaced, 0)
  const open = files.flatMap(({ name, open: left }) => left.map((reference) => `  ${name}: ${reference}`))
  const end =
    open.length === 0
      ? 'none still public.'
      : `${open.length} still public, because the bundle does not have the image:`
  return [
    `Wrote ${plural(files.length, 'manifest')} to ${folder}/: ${plural(replaced, 'reference')} to the private registry, ${end}`,
    ...open,
  ]
}

function landed(
  imported: readonly ImportedRoot[],
  registry: string,
  session: CommandSession,
): readonly string[] {
  const all = imported.map(({ root, repository, tags, outcome }) => [
    root.kind,
    `${registry}/${repository}${tags.length === 0 ? `@${root.digest}` : `:${tags.at(-1) ?? ''}`}`,
    outcome,
  ])
  const { rows, more } = shortened(all, session)
  return [table(['kind', 'is at', 'outcome'], rows, session.columns), ...more]
}
