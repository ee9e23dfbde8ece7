import { accessSync, constants } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { parse } from 'yaml'
import { createHelm } from '../../helm/values/render/helm.ts'
import { isMap, mergeValues, valueAt, type Values } from '../../helm/values/tree.ts'
import type { HelmSetup } from '../../bundle/charts/render-all.ts'
import { hintsOf } from '../../bundle/spec/hints.ts'
import { consumerOf } from '../../bundle/charts/override-charts.ts'
import type { BundleSpec } from '../../bundle/spec/spec.ts'
import { codeOf, messageOf, usageError } from '../../lib/errors.ts'
import { MAX_NESTING, nestsDeeper } from '../../lib/nesting.ts'
import { readSmall, whyUnreadable } from '../../lib/bytes/small-file.ts'
import { openChartCache } from './chart-cache.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import type { Session } from '../session.ts'

/** Flags for rendering charts with a real helm. */
export const helmArgs = {
  prove: {
    type: 'boolean',
    default: true,
    description: 'Render the charts with helm, where there is one, to find and prove every image binding',
  },
  addMissing: { type: 'boolean', description: 'Bundle images that the charts pull and the list lacks' },
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
    description: 'Kubernetes version to render for, as in 1.33.0',
  },
  apiVersions: {
    type: 'string',
    multiple: true,
    hint: 'api',
    description: 'An API the cluster has, as in monitoring.coreos.com/v1',
  },
  consumerValues: {
    type: 'string',
    multiple: true,
    hint: 'file',
    description: 'Values of the chart that installs the others; it hands each of them its part',
  },
} as const satisfies ArgsDef

export type HelmArgs = Args<typeof helmArgs>

/**
 * The helm to prove with, and the values the charts will really get.
 * @returns undefined when proving is switched off or there is no helm; the latter is said
 */
export async function openHelm(
  args: HelmArgs,
  spec: BundleSpec,
  session: Session,
): Promise<HelmSetup | undefined> {
  const layers = await readLayers(args, spec)
  if (!args.prove) return undefined
  const binary = args.helm ?? findProgram('helm', session.env['PATH'])
  if (binary !== undefined) {
    const cache = args.cache ? await openChartCache(session.env) : undefined
    return {
      program: await createHelm(binary),
      layers,
      variants: variantsOf(args),
      hints: hintsOf(spec),
      ...(cache === undefined ? {} : { cache }),
    }
  }
  if (spec.groups.some((group) => group.charts.length > 0)) {
    session.note(
      'No helm on the PATH: image bindings are taken from the spec, unproven. Give --helm <program> to prove them.\n',
    )
  }
  return undefined
}

// --- internal ---

const VALUES_LIMIT = 4 * 1024 * 1024

function variantsOf({ kubeVersion, apiVersions }: HelmArgs): HelmSetup['variants'] {
  if (kubeVersion === undefined && apiVersions.length === 0) return []
  return [
    {
      name: 'as given',
      values: {},
      ...(kubeVersion === undefined ? {} : { kubeVersion }),
      ...(apiVersions.length === 0 ? {} : { apiVersions }),
    },
  ]
}

function findProgram(name: string, path = ''): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK)
        return true
      } catch (error) {
        if (codeOf(error) !== undefined) return false
        throw error
      }
    })
}

async function readLayers(args: HelmArgs, spec: BundleSpec): Promise<ReadonlyMap<string, readonly Values[]>> {
  const layers = new Map<string, Values[]>()
  const add = (chart: string, values: Values): void => {
    layers.set(chart, [...(layers.get(chart) ?? []), values])
  }
  const charts = spec.groups.flatMap((group) => group.charts)
  const consumer = consumerOf(spec)
  let consumed: Values = {}
  for (const file of args.consumerValues) consumed = mergeValues(consumed, await readValues(file))
  const chartsAt = (consumer?.chartsAt ?? 'charts').split('.')
  for (const { name, key } of charts) {
    const part = valueAt(consumed, [...chartsAt, key, 'values'])
    if (isMap(part)) add(name, part)
  }
  for (const text of args.values) {
    const at = text.indexOf('=')
    const [chart, file] = [text.slice(0, at), text.slice(at + 1)]
    if (at < 1 || file === '') throw usageError(`--values "${text}" is not chart=file`)
    if (!charts.some(({ name }) => name === chart)) {
      throw usageError(`--values names a chart "${chart}" that the spec does not have`, {
        next: `its charts are ${charts.map(({ name }) => name).join(', ')}`,
      })
    }
    add(chart, await readValues(file))
  }
  return layers
}

async function readValues(file: string): Promise<Values> {
  let values: unknown
  try {
    const text = (await readSmall(file, VALUES_LIMIT)).toString('utf8')
    if (nestsDeeper(text, MAX_NESTING)) throw new Error('it nests too deep')
    values = parse(text, { maxAliasCount: 100 })
  } catch (error) {
    throw usageError(
      `cannot read the values file: ${codeOf(error) === undefined ? messageOf(error) : whyUnreadable(error)}`,
      {
        where: basename(file),
        cause: error,
      },
    )
  }
  if (values === null || values === undefined) return {}
  if (isMap(values)) return values
  throw usageError('the values file is not a mapping', { where: basename(file) })
}
