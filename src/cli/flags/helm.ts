import { accessSync, constants } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { createDocuments } from '../../helm/values/render/documents.ts'
import { createHelm } from '../../helm/values/render/helm.ts'
import { isMap, type Values } from '../../helm/values/tree.ts'
import type { AddMissing } from '../../bundle/export/prove-charts.ts'
import type { HelmSetup } from '../../bundle/charts/render-all.ts'
import type { GivenValues, ValuesLayer } from '../../bundle/charts/judge/install.ts'
import type { AppliedObjects } from '../../bundle/charts/judge/objects.ts'
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
    description: 'Kubernetes version to render for, as in 1.33.0',
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

/** What the charts are judged with. */
export interface OpenedHelm {
  readonly given: GivenValues
  /** Absent when proving is switched off, or where there is no helm. */
  readonly helm?: HelmSetup
}

/** The helm to prove with, and the values the charts will get beside those that are known; says when there is none. */
export async function openHelm(args: HelmArgs, spec: BundleSpec, session: Session): Promise<OpenedHelm> {
  const given = await givenValues(args, spec)
  if (!args.prove) return { given }
  const binary = args.helm ?? findProgram('helm', session.env['PATH'])
  if (binary !== undefined) {
    const cache = args.cache ? await openChartCache(session.env) : undefined
    const helm = {
      program: await createHelm(binary),
      given,
      variants: variantsOf(args),
      spec,
      ...(cache === undefined ? {} : { cache }),
    }
    return { given, helm }
  }
  if (spec.groups.some((group) => group.charts.length > 0)) {
    session.note(
      'No helm on the PATH: what the charts pull is judged by what was measured for their versions. Give --helm <program> to prove it.\n',
    )
  }
  return { given }
}

/** What `--add-missing` asks for. Without a value, as it was before it took any, it is what is needed. */
export function addMissingOf({ addMissing }: Pick<HelmArgs, 'addMissing'>): AddMissing {
  if (addMissing === undefined || addMissing === 'false') return 'none'
  if (addMissing === 'true' || addMissing === 'needed') return 'needed'
  if (addMissing === 'all') return 'all'
  throw usageError(`--add-missing=${addMissing} is no choice`, {
    next: 'write --add-missing or --add-missing=all',
  })
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

async function givenValues(args: HelmArgs, spec: BundleSpec): Promise<GivenValues> {
  const charts = new Map<string, ValuesLayer[]>()
  const names = spec.groups.flatMap((group) => group.charts).map(({ name }) => name)
  for (const text of args.values) {
    const at = text.indexOf('=')
    const [chart, file] = [text.slice(0, at), text.slice(at + 1)]
    if (at < 1 || file === '') throw usageError(`--values "${text}" is not chart=file`)
    if (!names.includes(chart)) {
      throw usageError(`--values names a chart "${chart}" that the spec does not have`, {
        next: `its charts are ${names.join(', ')}`,
      })
    }
    charts.set(chart, [...(charts.get(chart) ?? []), await readLayer(file)])
  }
  const inside = args.consumerValues.filter((file) => file.startsWith(IN_CHART))
  const outside = args.consumerValues.filter((file) => !file.startsWith(IN_CHART))
  const consumer: ValuesLayer[] = []
  for (const file of outside) consumer.push(await readLayer(file))
  const objects: AppliedObjects[] = []
  for (const file of args.objects) objects.push(await readObjects(file))
  return {
    consumer,
    consumerFiles: inside.map((file) => file.slice(IN_CHART.length)),
    charts,
    ...(objects.length === 0 ? {} : { objects }),
  }
}

/** `chart:valuesGke.yaml` lies inside the consumer chart. */
const IN_CHART = 'chart:'

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
