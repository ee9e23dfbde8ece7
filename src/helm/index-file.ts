import { YAML } from 'bun'
import { parse } from 'yaml'
import { BundleError, messageOf } from '../lib/errors.ts'
import { PortalError } from '../lib/http/error.ts'
import { MAX_NESTING, nestsDeeper } from '../lib/nesting.ts'
import { isObject } from '../oci/manifest.ts'
import { isVersion, sameVersion } from './version.ts'

/** One chart version of a repository's index. */
export interface IndexEntry {
  readonly name: string
  /** As the index has it, with its `v` if there is one. */
  readonly version: string
  /** The first of `urls`, the only one Helm takes; may be relative, may be `oci://…`. */
  readonly url: string
  /** sha256 of the tgz, 64 hex digits. */
  readonly sha256?: string
}

/**
 * Finds a chart version in the text of an index.yaml (https://helm.sh/docs/topics/chart_repository/#the-index-file)
 * as Helm does: the exact version first, then one that differs in its `v` or in missing zeros. Entries that are
 * broken are skipped, because one bad chart must not take the others away.
 * @throws BundleError that says which of name and version is not there, and what is
 */
export function findInIndex(text: string, name: string, version: string, where: string): IndexEntry {
  const index = sectionOf(text, name) ?? parseIndex(text, where)
  if (typeof index['apiVersion'] !== 'string' || index['apiVersion'] === '') {
    if (/^\s*<(?:!doctype html|html)/i.test(text)) throw portal(where)
    throw new BundleError('this is not the index of a chart repository: it has no apiVersion', {
      kind: 'failed',
      where,
      next: 'check the address of the repository; index.yaml lies directly below it',
    })
  }
  const charts = isObject(index['entries']) ? index['entries'] : {}
  const listed = charts[name]
  const versions = Array.isArray(listed) ? listed.flatMap((item) => entryOf(item, name) ?? []) : []
  const found =
    versions.find((entry) => entry.version === version) ??
    versions.find((entry) => sameVersion(entry.version, version))
  if (found === undefined) throw notFound(name, version, where, Object.keys(charts), versions)
  if (found.url === '') {
    throw new BundleError(`the index lists chart ${name} ${version} without an address to download it from`, {
      kind: 'failed',
      where,
    })
  }
  return found
}

// --- internal ---

function portal(where: string): PortalError {
  const host = /([a-z0-9.-]+(?::\d+)?)(?:\/|$)/i.exec(where.replace(/^.*:\/\//, ''))?.[1] ?? where
  return new PortalError('a web page came in the place of the index of a chart repository', host, {
    where,
    next: 'check the address of the repository; a login page of a proxy or portal answers like this too',
  })
}

/**
 * The part of a block-style index that is about one chart. An index has tens of MB, of which a run needs a few KB;
 * parsing it whole takes seconds and a multiple of its size in memory. Undefined when the text is laid out in any
 * other way, or the chart is not there.
 */
function sectionOf(text: string, name: string): Record<string, unknown> | undefined {
  const apiVersion = /^apiVersion:[ \t]*["']?([^\s"'#]+)/m.exec(text)?.[1]
  const entries = /^entries:[ \t]*\r?\n(?:[ \t]*(?:#.*)?\r?\n)*( +)(?=["']?[A-Za-z0-9])/m.exec(text)
  const indent = entries?.[1]
  if (apiVersion === undefined || entries === null || indent === undefined) return undefined
  const key = name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const head = new RegExp(`^${indent}(["']?)${key}\\1:[ \\t]*\\r?\\n`, 'm').exec(text.slice(entries.index))
  if (head === null) return undefined
  const start = entries.index + head.index
  const body = text.slice(start + head[0].length)
  // It ends where a line stands no deeper than its key; items of the list may stand on a level with it.
  const end = new RegExp(`^ {0,${indent.length}}(?! |- |-\\r?$|#|\\r?$)`, 'm').exec(body)
  const section = head[0] + body.slice(0, end?.index ?? body.length)
  const parsed = tryParse(section)
  return isObject(parsed) && Array.isArray(parsed[name]) ? { apiVersion, entries: parsed } : undefined
}

function tryParse(text: string): unknown {
  try {
    return parseYaml(text)
  } catch {
    // An alias to an anchor outside of the section, for one: the whole index will tell.
    return undefined
  }
}

function parseIndex(text: string, where: string): Record<string, unknown> {
  let index: unknown
  try {
    index = parseYaml(text)
  } catch (cause) {
    const why = messageOf(cause).split('\n', 1)[0]
    throw new BundleError(`the index of the chart repository is not valid YAML: ${why}`, {
      kind: 'failed',
      where,
      cause,
    })
  }
  if (isObject(index)) return index
  throw new BundleError('this is not the index of a chart repository', {
    kind: 'failed',
    where,
    next: 'check the address of the repository; index.yaml lies directly below it',
  })
}

/** Bun's parser is ten times faster and takes a fifth of the memory; the other one knows every corner of YAML. */
function parseYaml(text: string): unknown {
  if (nestsDeeper(text, MAX_NESTING)) throw new Error('it is nested too deeply')
  try {
    return YAML.parse(text)
  } catch {
    return parse(text, { maxAliasCount: 100, uniqueKeys: false, logLevel: 'error' })
  }
}

function entryOf(item: unknown, chart: string): IndexEntry | undefined {
  if (!isObject(item)) return undefined
  const { name = chart, version, urls, digest } = item
  if (typeof name !== 'string' || name === '' || typeof version !== 'string' || !isVersion(version)) {
    return undefined
  }
  const first: unknown = Array.isArray(urls) ? urls[0] : undefined
  const sha256 = typeof digest === 'string' ? digest.replace(/^sha256:/, '').toLowerCase() : ''
  return {
    name,
    version,
    url: typeof first === 'string' ? first : '',
    ...(/^[0-9a-f]{64}$/.test(sha256) ? { sha256 } : {}),
  }
}

function notFound(
  name: string,
  version: string,
  where: string,
  charts: readonly string[],
  versions: readonly IndexEntry[],
): BundleError {
  if (!charts.includes(name)) {
    return new BundleError(`the repository has no chart ${name}`, {
      kind: 'failed',
      where,
      next: charts.length === 0 ? 'it has no chart at all: check the address' : `it has ${some(charts)}`,
    })
  }
  return new BundleError(`the repository has no version ${version} of chart ${name}`, {
    kind: 'failed',
    where,
    next:
      versions.length === 0
        ? 'it has none at all: check the address'
        : `it has ${some(versions.map((entry) => entry.version))}`,
  })
}

const some = (words: readonly string[]): string =>
  words.slice(0, 8).join(', ') + (words.length > 8 ? ` and ${words.length - 8} more` : '')
