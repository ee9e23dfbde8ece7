import type { Layout } from '../../bundle/format/destination.ts'
import type { ImportedRoot } from '../../bundle/import/import.ts'
import type { Bundle } from '../../bundle/format/open.ts'
import { verdictLine } from '../../bundle/charts/judge/verdict.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import type { Session } from '../session.ts'
import { nextSteps } from '../ui/next.ts'
import { shortened, table } from '../ui/table.ts'
import { tallyText } from '../ui/words.ts'
import { defaultValuesFile, writeValues } from './values-file.ts'

/** Flags for the override that is written when everything is there. */
export const valuesArgs = {
  values: {
    type: 'string',
    hint: 'file',
    default: defaultValuesFile,
    description: 'Where to write the values override; one file a chart goes into a folder beside it',
  },
  pinDigests: {
    type: 'boolean',
    description:
      'Write digests into the values where a chart has a place for them (needs a bundle proven by helm)',
  },
} as const satisfies ArgsDef

export interface Landed {
  readonly imported: readonly ImportedRoot[]
  readonly bundle: Bundle
  readonly layout: Layout
  /** When the pushing began, by `performance.now()`. */
  readonly started: number
  /** File name of the bundle; undefined when there was none between the source and the registry. */
  readonly name?: string
}

/** Everything is in the registry: writes the values override, and tells what is where. */
export async function finishImport(
  { imported, bundle, layout, started, name }: Landed,
  args: Args<typeof valuesArgs>,
  session: Session,
): Promise<void> {
  const values = await writeValues(args.values, bundle, layout, { pinDigests: args.pinDigests })
  const seconds = (performance.now() - started) / 1000
  const roots = imported.map(({ root, repository, tags, outcome }) => ({
    kind: root.kind,
    name: root.name,
    digest: root.digest,
    repository,
    tags,
    outcome,
  }))
  const proof = bundle.contents?.proof
  const hasCharts = imported.some(({ root }) => root.kind === 'chart')
  const data = name === undefined ? { proof } : { bundle: name }
  session.result({ ...data, registry: layout.registry, seconds, roots, ...values.data }, () =>
    [
      ...landed(imported, layout.registry, session),
      `${count(imported, 'pushed')} pushed, ${count(imported, 'unchanged')} unchanged, in ${seconds.toFixed(1)} s${tallyText(session.tally)}.`,
      ...values.lines,
      // Without a bundle there is nothing to prove later.
      ...(proof === undefined || (proof.length === 0 && (name === undefined || !hasCharts))
        ? []
        : [verdictLine(proof)]),
      ...(values.file === undefined
        ? []
        : [nextSteps([`helm upgrade --install <release> <chart> -f ${values.file}`], session)]),
      '',
    ].join('\n'),
  )
}

// --- internal ---

const count = (imported: readonly ImportedRoot[], outcome: ImportedRoot['outcome']): number =>
  imported.filter((one) => one.outcome === outcome).length

function landed(imported: readonly ImportedRoot[], registry: string, session: Session): readonly string[] {
  const all = imported.map(({ root, repository, tags, outcome }) => [
    root.kind,
    `${registry}/${repository}${tags.length === 0 ? `@${root.digest}` : `:${tags.at(-1) ?? ''}`}`,
    outcome,
  ])
  const { rows, more } = shortened(all, session)
  return [table(['kind', 'is at', 'outcome'], rows, session.columns), ...more]
}
