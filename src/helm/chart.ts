import { parse } from 'yaml'
import { integrityError, messageOf } from '../lib/errors.ts'
import { nestsDeeper } from '../lib/nesting.ts'
import { archiveBudget, readChartArchive, type ArchiveFault } from './chart-archive.ts'
import { isObject } from '../oci/manifest.ts'

/** Chart.yaml: https://helm.sh/docs/topics/charts/#the-chartyaml-file */
export interface ChartMetadata {
  readonly name: string
  /** As Chart.yaml has it, with its `v` if there is one. */
  readonly version: string
  readonly appVersion?: string
  readonly description?: string
  readonly home?: string
  readonly sources: readonly string[]
  readonly maintainers: readonly Maintainer[]
  readonly annotations: Readonly<Record<string, string>>
  /** All of Chart.yaml. */
  readonly fields: Readonly<Record<string, unknown>>
}

export interface Maintainer {
  readonly name?: string
  readonly email?: string
}

const CHART_YAML = 'Chart.yaml'
const CHART_YAML_LIMIT = 1024 * 1024
const MAX_NESTING = 500

/**
 * Reads `<name>/Chart.yaml` out of a packaged chart. Nothing touches the disk; links, paths that point outside and
 * anything that unpacks to more than 256 MiB are refused.
 * @throws an integrity error that says what is wrong with the archive
 */
export function readChartMetadata(tgz: Uint8Array, where?: string): ChartMetadata {
  const fail: ArchiveFault = (why, cause) =>
    integrityError(`the chart cannot be read: ${why}`, {
      ...(where === undefined ? {} : { where }),
      ...(cause === undefined ? {} : { cause }),
    })
  const fields = parseChartYaml(chartYaml(tgz, fail), fail)
  const name = asText(fields['name'])
  const version = asText(fields['version'])
  if (name === undefined || !/^[a-zA-Z0-9][a-zA-Z0-9._-]*$/.test(name))
    throw fail('its Chart.yaml has no proper name')
  if (version === undefined || !/^[0-9A-Za-z.+_-]+$/.test(version)) {
    throw fail('its Chart.yaml has no proper version')
  }
  const appVersion = asText(fields['appVersion'])
  const description = asText(fields['description'])
  const home = asText(fields['home'])
  return {
    name,
    version,
    ...(appVersion === undefined ? {} : { appVersion }),
    ...(description === undefined ? {} : { description }),
    ...(home === undefined ? {} : { home }),
    sources: listOf(fields['sources']).flatMap((source) => asText(source) ?? []),
    maintainers: listOf(fields['maintainers']).filter(isObject).map(maintainerOf),
    annotations: annotationsOf(fields['annotations']),
    fields,
  }
}

/** Helm reads a number or a boolean where it wants a text as that number's shortest form: `1.10` is `1.1`. */
export function asText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

// --- internal ---

/** The text of the Chart.yaml that lies directly below the top folder. */
function chartYaml(tgz: Uint8Array, fail: ArchiveFault): string {
  const files = readChartArchive(tgz, fail, archiveBudget(), (path) => path === CHART_YAML)
  const content = files.get(CHART_YAML)
  if (content === undefined) throw fail('there is no Chart.yaml in its top folder')
  if (content.length > CHART_YAML_LIMIT) throw fail(`its Chart.yaml has ${content.length} bytes`)
  return Buffer.from(content).toString('utf8')
}

function parseChartYaml(text: string, fail: ArchiveFault): Record<string, unknown> {
  if (nestsDeeper(text, MAX_NESTING))
    throw fail('its Chart.yaml is not valid YAML that anybody writes: it is nested too deeply')
  let value: unknown
  try {
    value = parse(text, { maxAliasCount: 50, logLevel: 'error', uniqueKeys: false })
  } catch (cause) {
    throw fail(`its Chart.yaml is not valid YAML: ${messageOf(cause).split('\n', 1)[0]}`, cause)
  }
  if (!isObject(value)) throw fail('its Chart.yaml is not a mapping')
  return value
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

function maintainerOf(value: Record<string, unknown>): Maintainer {
  const name = asText(value['name'])
  const email = asText(value['email'])
  return { ...(name === undefined ? {} : { name }), ...(email === undefined ? {} : { email }) }
}

function annotationsOf(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) return {}
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => {
      const text = asText(item)
      return text === undefined ? [] : [[key, text] as const]
    }),
  )
}
