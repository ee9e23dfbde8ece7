import { gunzipSync } from 'node:zlib'
import { Parser } from 'tar'
import { parse } from 'yaml'
import { integrityError, messageOf } from '../lib/errors.ts'
import { nestsDeeper } from '../lib/nesting.ts'
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

const UNPACKED_LIMIT = 256 * 1024 * 1024
const CHART_YAML_LIMIT = 1024 * 1024
const MAX_NESTING = 500

/**
 * Reads `<name>/Chart.yaml` out of a packaged chart. Nothing touches the disk; links, paths that point outside and
 * anything that unpacks to more than 256 MiB are refused.
 * @throws an integrity error that says what is wrong with the archive
 */
export function readChartMetadata(tgz: Uint8Array, where?: string): ChartMetadata {
  const fail: Fail = (why, cause) =>
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

type Fail = (why: string, cause?: unknown) => Error

/** The text of the one Chart.yaml that lies directly below the top folder. */
function chartYaml(tgz: Uint8Array, fail: Fail): string {
  let text: string | undefined
  let failure: Error | undefined
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      failure ??= entryFault(entry.path, entry.type, fail)
      const parts = entry.path.replace(/^\.\//, '').split('/')
      const isWanted = parts.length === 2 && parts[1] === 'Chart.yaml' && text === undefined
      if (!isWanted || failure !== undefined) {
        entry.resume()
        return
      }
      if (entry.size > CHART_YAML_LIMIT) failure = fail(`its Chart.yaml has ${entry.size} bytes`)
      const chunks: Uint8Array[] = []
      entry.on('data', (chunk: Uint8Array) => chunks.push(chunk))
      entry.on('end', () => {
        text = Buffer.concat(chunks).toString('utf8')
      })
    },
  })
  parser.on('error', (cause: unknown) => {
    failure ??= fail(`the tar inside is damaged: ${messageOf(cause)}`, cause)
  })
  // Given a whole tar, the parser does all its work before end() returns.
  parser.end(Buffer.from(unzip(tgz, fail)))
  if (failure !== undefined) throw failure
  if (text === undefined) throw fail('there is no Chart.yaml in its top folder')
  return text
}

function unzip(tgz: Uint8Array, fail: Fail): Uint8Array {
  if (tgz[0] !== 0x1f || tgz[1] !== 0x8b) throw fail('it is not a gzip archive')
  try {
    return gunzipSync(tgz, { maxOutputLength: UNPACKED_LIMIT })
  } catch (cause) {
    const tooLarge = cause instanceof RangeError
    throw fail(tooLarge ? `it unpacks to more than ${UNPACKED_LIMIT} bytes` : `its gzip is damaged`, cause)
  }
}

/** Extensions of tar never reach the reader as entries. */
const PLAIN: ReadonlySet<string> = new Set(['File', 'OldFile', 'ContiguousFile', 'Directory'])

function entryFault(path: string, type: string, fail: Fail): Error | undefined {
  const shown = JSON.stringify(path.slice(0, 200))
  if (type === 'SymbolicLink' || type === 'Link') return fail(`${shown} is a link`)
  if (!PLAIN.has(type)) return fail(`${shown} is no file but a ${type}`)
  if (path.startsWith('/') || path.includes('\\') || path.split('/').includes('..')) {
    return fail(`${shown} points outside of it`)
  }
  return undefined
}

function parseChartYaml(text: string, fail: Fail): Record<string, unknown> {
  if (nestsDeeper(text, MAX_NESTING))
    throw fail('its Chart.yaml is not valid YAML that anybody writes: it nests too deep')
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
