import type { AddMissing } from '../../bundle/export/prove-charts.ts'
import type { BundleSpec } from '../../bundle/spec/spec.ts'
import { usageError } from '../../lib/errors.ts'
import { findHelm, type HelmSettings, type OpenedHelm } from '../../setup/helm.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import { noticeText } from '../output/notice-text.ts'
import type { CommandSession } from '../session.ts'

/** Flags for rendering charts with a real helm. */
export const helmArgs = {
  prove: {
    type: 'boolean',
    default: true,
    description: 'Render the charts with helm, where there is one, to find and prove every image binding',
  },
  addMissing: {
    type: 'string',
    alone: { value: 'needed', words: /^(?:needed|all|true|false)$/ },
    known: ['needed', 'all'],
    hint: 'needed|all',
    description:
      'Bundle images that the installation pulls and the list lacks; all: also those that it pulls on demand only',
  },
  requireProof: {
    type: 'boolean',
    description: 'Fail when a chart that is installed was not proven by rendering it',
  },
  helm: {
    type: 'string',
    hint: 'program',
    description: 'The helm to render with (default: helm on the PATH)',
  },
  cache: {
    type: 'boolean',
    default: true,
    description: 'Keep what helm showed of a chart for the next run, in the cache folder of the user',
  },
  values: {
    type: 'string',
    multiple: true,
    hint: 'chart=file',
    description: 'Values a chart is installed with; several files of one chart are layers, the last wins',
  },
  kubeVersion: {
    type: 'string',
    hint: 'version',
    description: 'Kubernetes version to render for, for example 1.33.0',
  },
  apiVersions: {
    type: 'string',
    multiple: true,
    hint: 'api',
    description: 'An API the cluster has, as in monitoring.coreos.com/v1',
  },
  objects: {
    type: 'string',
    multiple: true,
    hint: 'file',
    description:
      'Objects of your own beside the charts, such as custom resources: their images are needed like those of the charts',
  },
  consumerValues: {
    type: 'string',
    multiple: true,
    hint: 'file',
    description:
      'More values of the chart that installs the others; it hands each of them its part. chart:<file>: a file inside it, in place of those the spec names',
  },
} as const satisfies ArgsDef

export type HelmArgs = Args<typeof helmArgs>

/** The helm that the flags name; says when there is none. */
export const openHelm = (args: HelmArgs, spec: BundleSpec, session: CommandSession): Promise<OpenedHelm> =>
  findHelm(helmSettings(args), spec, session, () => session.note(noticeText({ type: 'no-helm' })))

/** What the flags say of rendering. */
export const helmSettings = (args: HelmArgs): HelmSettings => ({
  prove: args.prove,
  program: args.helm,
  cache: args.cache,
  values: args.values.map(chartFile),
  consumerValues: args.consumerValues.filter((file) => !file.startsWith(IN_CHART)),
  consumerFiles: args.consumerValues
    .filter((file) => file.startsWith(IN_CHART))
    .map((file) => file.slice(IN_CHART.length)),
  objects: args.objects,
  kubeVersion: args.kubeVersion,
  apiVersions: args.apiVersions,
})

/** What `--add-missing` asks for. Without a value, as it was before it took any, it is what is needed. */
export function addMissingOf({ addMissing }: Pick<HelmArgs, 'addMissing'>): AddMissing {
  if (addMissing === undefined || addMissing === 'false') return 'none'
  if (addMissing === 'true' || addMissing === 'needed') return 'needed'
  if (addMissing === 'all') return 'all'
  throw usageError(`--add-missing=${addMissing} is not a valid value`, {
    next: 'write --add-missing or --add-missing=all',
  })
}

// --- internal ---

/** `chart:valuesGke.yaml` lies inside the consumer chart. */
const IN_CHART = 'chart:'

function chartFile(text: string): HelmSettings['values'][number] {
  const at = text.indexOf('=')
  const [chart, file] = [text.slice(0, at), text.slice(at + 1)]
  if (at < 1 || file === '') throw usageError(`--values "${text}" is not chart=file`)
  return { chart, file }
}
