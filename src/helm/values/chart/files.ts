import { parse } from 'yaml'
import { messageOf } from '../../../lib/errors.ts'
import { MAX_NESTING, nestsDeeper } from '../../../lib/nesting.ts'
import type { ChartFiles } from '../../chart-archive.ts'
import { broken, chartFiles } from './archive.ts'
import { isMap, type Values } from '../tree.ts'

export interface Dependency {
  readonly name: string
  readonly alias?: string
  readonly version?: string
  readonly condition?: string
  readonly tags?: readonly string[]
}

/** Chart.yaml, as far as values and their images need it. */
interface ChartMetadata {
  readonly name: string
  readonly version: string
  readonly appVersion?: string
  readonly kubeVersion?: string
  readonly library: boolean
  readonly dependencies: readonly Dependency[]
}

/** A chart as its tgz holds it, with the subcharts that lie inside. */
export interface Chart {
  readonly metadata: ChartMetadata
  /** values.yaml, parsed and as written. */
  readonly values: Values
  readonly valuesText: string
  /** values.schema.json, parsed. */
  readonly schema?: unknown
  /** Text by path inside the chart: `templates/…`. */
  readonly templates: ReadonlyMap<string, string>
  /** Other text that templates may read with `.Files`, by path. */
  readonly files: ReadonlyMap<string, string>
  readonly subcharts: readonly Subchart[]
  /** Kinds of the custom resources it defines, its subcharts' not included. */
  readonly kinds: readonly string[]
  /** Values that the chart's authors test it with: `ci/*.yaml`. */
  readonly examples: readonly Values[]
}

export interface Subchart {
  /** The key of this chart's values in its parent: the alias, else the name. */
  readonly key: string
  /** Values paths of the parent, comma-separated, the first that is a boolean decides. */
  readonly condition?: string
  readonly chart: Chart
}

const TEXT_LIMIT = 4 * 1024 * 1024

/**
 * Reads a packaged chart (`helm package`) with its subcharts, which may be folders or nested tgz files.
 * Nothing touches the disk. Links, absolute paths and `..` are refused, as is anything that unpacks to more
 * than 256 MiB.
 * @throws BundleError `failed` that names the file and what is wrong with it
 */
export function readChart(tgz: Uint8Array, where = 'chart'): Chart {
  return chartOf(chartFiles(tgz, where), where)
}

/** The chart and all below it, each with the key path of its values from the root. Depth first. */
export function* chartTree(chart: Chart, prefix: readonly string[] = []): Iterable<ChartAt> {
  yield { chart, prefix }
  for (const { key, chart: inner } of chart.subcharts) yield* chartTree(inner, [...prefix, key])
}

export interface ChartAt {
  readonly chart: Chart
  readonly prefix: readonly string[]
}

// --- internal ---

function chartOf(files: ChartFiles, where: string): Chart {
  const metadata = metadataOf(files, where)
  const values = yamlOf(files, 'values.yaml', where) ?? {}
  if (!isMap(values)) throw broken(where, 'values.yaml is not a map')
  const templates = new Map<string, string>()
  const others = new Map<string, string>()
  const nested = new Map<string, Map<string, Uint8Array>>()
  for (const [path, content] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const inner = /^charts\/([^/]+)\/(.+)$/.exec(path)
    if (path.startsWith('templates/')) templates.set(path, textOf(content))
    else if (inner?.[1] !== undefined && inner[2] !== undefined) {
      const folder = nested.get(inner[1]) ?? new Map<string, Uint8Array>()
      nested.set(inner[1], folder.set(inner[2], content))
    } else if (
      !/^(?:crds|charts|ci|tests?|docs)\/|\.md$|^(?:Chart|values)\.yaml$/.test(path) &&
      content.length < TEXT_LIMIT
    )
      others.set(path, textOf(content))
  }
  const inner = [...nested]
    // helm ignores folders that start with _ or .
    .filter(([name, folder]) => !/^[._]/.test(name) && folder.has('Chart.yaml'))
    .map(([name, folder]) => chartOf(folder, `${where}, charts/${name}`))
  const schema = files.get('values.schema.json')
  return {
    metadata,
    values,
    valuesText: textOf(files.get('values.yaml') ?? new Uint8Array()),
    ...(schema === undefined ? {} : { schema: schemaOf(schema) }),
    templates,
    files: others,
    subcharts: mountSubcharts(metadata, inner),
    kinds: customKinds(files),
    examples: examplesOf(files),
  }
}

/** One chart may be mounted several times under different aliases; a chart nobody lists is mounted by its name. */
function mountSubcharts(metadata: ChartMetadata, inner: readonly Chart[]): Subchart[] {
  const mounted: Subchart[] = []
  const listed = new Set<Chart>()
  for (const dependency of metadata.dependencies) {
    const named = inner.filter(({ metadata: { name } }) => name === dependency.name)
    const chart = named.find(({ metadata: { version } }) => version === dependency.version) ?? named[0]
    if (chart === undefined) continue
    for (const other of named) listed.add(other)
    mounted.push({
      key: dependency.alias ?? dependency.name,
      ...(dependency.condition === undefined ? {} : { condition: dependency.condition }),
      chart,
    })
  }
  for (const chart of inner) if (!listed.has(chart)) mounted.push({ key: chart.metadata.name, chart })
  return mounted
}

function metadataOf(files: ChartFiles, where: string): ChartMetadata {
  const read = yamlOf(files, 'Chart.yaml', where)
  if (!isMap(read)) throw broken(where, 'it has no Chart.yaml')
  const text = (key: string): string | undefined => {
    const value = read[key]
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined
  }
  const name = text('name')
  if (name === undefined) throw broken(where, 'Chart.yaml has no name')
  // Helm 2 charts (apiVersion v1) list their dependencies in a file of their own.
  const requirements = yamlOf(files, 'requirements.yaml', where)
  const listed = read.dependencies ?? (isMap(requirements) ? requirements.dependencies : undefined)
  const appVersion = text('appVersion')
  const kubeVersion = text('kubeVersion')
  return {
    name,
    version: text('version') ?? '',
    ...(appVersion === undefined ? {} : { appVersion }),
    ...(kubeVersion === undefined ? {} : { kubeVersion }),
    library: read.type === 'library',
    dependencies: Array.isArray(listed) ? listed.flatMap(dependencyOf) : [],
  }
}

function dependencyOf(read: unknown): Dependency[] {
  if (!isMap(read) || typeof read.name !== 'string') return []
  return [
    {
      name: read.name,
      ...(typeof read.alias === 'string' && read.alias !== '' ? { alias: read.alias } : {}),
      ...(typeof read.version === 'string' ? { version: read.version } : {}),
      ...(typeof read.condition === 'string' ? { condition: read.condition } : {}),
      ...(Array.isArray(read.tags) ? { tags: read.tags.map(String) } : {}),
    },
  ]
}

/** Read as text: definitions lie in `crds/`, in templates with logic around them, or in files that a template reads. */
function customKinds(files: ChartFiles): readonly string[] {
  const kinds = new Set<string>()
  for (const [path, content] of files) {
    if (path.startsWith('charts/') || !/\.(?:ya?ml|tpl)$/.test(path) || content.length > TEXT_LIMIT) continue
    const text = textOf(content)
    for (const definition of text.split(/^kind: ["']?CustomResourceDefinition/m).slice(1)) {
      const [, kind] = /^ +names:\s*(?:\n(?: {4,}.*|\s*))*?\n +kind: ["']?(\w+)/m.exec(definition) ?? []
      if (kind !== undefined) kinds.add(kind)
    }
  }
  return [...kinds].toSorted()
}

function yamlOf(files: ChartFiles, path: string, where: string): unknown {
  const content = files.get(path)
  if (content === undefined) return undefined
  const text = textOf(content)
  if (nestsDeeper(text, MAX_NESTING)) throw broken(where, `${path} is nested too deeply`)
  try {
    return parse(text, { maxAliasCount: 1000, merge: true, uniqueKeys: false, logLevel: 'error' })
  } catch (cause) {
    throw broken(where, `${path} is not YAML: ${messageOf(cause)}`, cause)
  }
}

function examplesOf(files: ChartFiles): Values[] {
  return [...files.keys()]
    .filter((path) => /^ci\/[^/]+\.ya?ml$/.test(path))
    .toSorted()
    .slice(0, 6)
    .map((path) => yamlOf(files, path, path))
    .filter(isMap)
}

/** A schema that is not JSON is helm's to complain about. */
function schemaOf(content: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(content)) as unknown
  } catch {
    return undefined
  }
}

const textOf = (content: Uint8Array): string => new TextDecoder().decode(content)
