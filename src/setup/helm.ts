import { accessSync, constants } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import type { GivenValues, ValuesLayer } from '../bundle/charts/judge/install.ts'
import type { AppliedObjects } from '../bundle/charts/judge/objects.ts'
import type { HelmSetup } from '../bundle/charts/render-all.ts'
import type { Surroundings } from '../bundle/run/surroundings.ts'
import type { BundleSpec } from '../bundle/spec/spec.ts'
import { createDocuments } from '../helm/values/render/documents.ts'
import { createHelm } from '../helm/values/render/helm.ts'
import { isMap, type Values } from '../helm/values/tree.ts'
import { readSmall, whyUnreadable } from '../lib/bytes/small-file.ts'
import { BundleError, codeOf, messageOf, usageError } from '../lib/errors.ts'
import { MAX_NESTING, nestsDeeper } from '../lib/nesting.ts'
import { openChartCache } from './chart-cache.ts'

/** How charts are rendered. */
export interface HelmSettings {
  /** Whether they are rendered at all. */
  readonly prove: boolean
  /** The helm to render with; the one on the PATH unless given. */
  readonly program?: string | undefined
  /** Keeps what helm showed of a chart for the next run. */
  readonly cache: boolean
  /** Files with values that a chart is installed with; of several for one chart the last wins. */
  readonly values: readonly { readonly chart: string; readonly file: string }[]
  /** Files with more values of the chart that installs the others. */
  readonly consumerValues: readonly string[]
  /** Values files inside that chart, in place of those that the spec names. */
  readonly consumerFiles: readonly string[]
  /** Files with objects that the cluster gets beside the charts. */
  readonly objects: readonly string[]
  /** `1.33.0` */
  readonly kubeVersion?: string | undefined
  /** `monitoring.coreos.com/v1` */
  readonly apiVersions: readonly string[]
}

/** Charts are rendered with the helm on the PATH, as they come. */
export const PLAIN_HELM: HelmSettings = {
  prove: true,
  cache: true,
  values: [],
  consumerValues: [],
  consumerFiles: [],
  objects: [],
  apiVersions: [],
}

/** What the charts are judged with. */
export interface OpenedHelm {
  readonly given: GivenValues
  /** Absent when proving is switched off, or where there is no helm. */
  readonly helm?: HelmSetup
  /** False when the user wants no judgement of the charts at all. */
  readonly judge?: false
}

/**
 * The helm to prove with, and the values the charts will get beside those that are known.
 * @param onLack called when there are charts to prove and no helm is found
 */
export async function findHelm(
  settings: HelmSettings,
  spec: BundleSpec,
  { env }: Surroundings,
  onLack: () => void,
): Promise<OpenedHelm> {
  const given = await givenValues(settings, spec)
  const unjudged = (why: string): Error =>
    usageError(`your objects cannot be judged: ${why}`, {
      next: 'install helm 3 or 4, or give --helm <program>; or leave --objects out',
    })
  if (!settings.prove && given.objects !== undefined) throw unjudged('the charts are not rendered')
  if (!settings.prove) return { given, judge: false }
  const binary = settings.program ?? findProgram('helm', env['PATH'])
  if (binary !== undefined) {
    const cache = settings.cache ? await openChartCache(env) : undefined
    const helm = {
      program: await createHelm(binary),
      given,
      variants: variantsOf(settings),
      spec,
      ...(cache === undefined ? {} : { cache }),
    }
    return { given, helm }
  }
  if (given.objects !== undefined) throw unjudged('there is no helm to render the charts with')
  if (spec.groups.some((group) => group.charts.length > 0)) onLack()
  return { given }
}

/** Of the helm on the PATH, `v3.17.3`; undefined where there is none, or one of another kind. */
export async function helmVersion({ env }: Pick<Surroundings, 'env'>): Promise<string | undefined> {
  const binary = findProgram('helm', env['PATH'])
  if (binary === undefined) return undefined
  try {
    return (await createHelm(binary)).version
  } catch (error) {
    if (error instanceof BundleError) return undefined
    throw error
  }
}

// --- internal ---

const VALUES_LIMIT = 4 * 1024 * 1024

function variantsOf({ kubeVersion, apiVersions }: HelmSettings): HelmSetup['variants'] {
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

async function givenValues(
  { values, consumerValues, consumerFiles, objects: files }: HelmSettings,
  spec: BundleSpec,
): Promise<GivenValues> {
  const charts = new Map<string, ValuesLayer[]>()
  const names = spec.groups.flatMap((group) => group.charts).map(({ name }) => name)
  for (const { chart, file } of values) {
    if (!names.includes(chart)) {
      throw usageError(`--values names a chart "${chart}" that the spec does not have`, {
        next: `its charts are ${names.join(', ')}`,
      })
    }
    charts.set(chart, [...(charts.get(chart) ?? []), await readLayer(file)])
  }
  const consumer: ValuesLayer[] = []
  for (const file of consumerValues) consumer.push(await readLayer(file))
  const objects: AppliedObjects[] = []
  for (const file of files) objects.push(await readObjects(file))
  return { consumer, consumerFiles, charts, ...(objects.length === 0 ? {} : { objects }) }
}

const readLayer = async (file: string): Promise<ValuesLayer> => ({
  name: basename(file),
  values: await readValues(file),
})

async function readObjects(file: string): Promise<AppliedObjects> {
  const bad = (why: string, cause?: unknown): Error =>
    usageError(`cannot read the objects: ${why}`, {
      where: basename(file),
      ...(cause === undefined ? {} : { cause }),
    })
  const text = await readSmall(file, VALUES_LIMIT).then(
    (raw) => raw.toString('utf8'),
    (error: unknown) => {
      throw bad(whyUnreadable(error), error)
    },
  )
  if (nestsDeeper(text, MAX_NESTING)) throw bad('they nest too deep')
  const [broken] = parseAllDocuments(text, { logLevel: 'silent' }).flatMap((one) =>
    'errors' in one ? one.errors : [],
  )
  if (broken !== undefined) throw bad(broken.message, broken)
  const documents = createDocuments()(`\n${text}`)
  if (documents.length === 0) throw bad('there is no object with a kind in it')
  return { file: basename(file), documents }
}

async function readValues(file: string): Promise<Values> {
  let values: unknown
  try {
    const text = (await readSmall(file, VALUES_LIMIT)).toString('utf8')
    if (nestsDeeper(text, MAX_NESTING)) throw new Error('it is nested too deeply')
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
