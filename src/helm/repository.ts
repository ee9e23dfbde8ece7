import { gunzipSync } from 'node:zlib'
import { download, type DownloadOptions } from '../lib/http/get.ts'
import { BundleError, integrityError } from '../lib/errors.ts'
import type { Http } from '../lib/http/client.ts'
import type { Once } from '../lib/once.ts'
import { mayLeadTo, redactUrl } from '../lib/url.ts'
import { digestOf } from '../oci/digest.ts'
import { findInIndex } from './index-file.ts'

export interface ChartRepositoryOptions {
  /** Sent to the repository's own origin only, as Helm does without `--pass-credentials`. */
  readonly credentials?: { readonly username: string; readonly password: string }
  /** Shares the index among charts of one repository; the key is the index's URL. */
  readonly indexes?: Once<string>
  readonly signal?: AbortSignal
  readonly policy?: DownloadOptions['policy']
  readonly onRetry?: DownloadOptions['onRetry']
}

/** Where an index says a chart is. */
export interface ChartLocation {
  readonly name: string
  /** As the index has it. */
  readonly version: string
  /** Absolute: `https://…`, or `oci://…`, which another client has to fetch. */
  readonly url: string
  /** sha256 of the tgz, 64 hex digits, when the index knows it. */
  readonly sha256?: string
}

const INDEX_LIMIT = 256 * 1024 * 1024
const CHART_LIMIT = 128 * 1024 * 1024

/** Looks a chart version up in the index of an HTTP repository. */
export async function locateChart(
  http: Http,
  repository: string,
  name: string,
  version: string,
  options: ChartRepositoryOptions = {},
): Promise<ChartLocation> {
  const url = resolveReferenceUrl(repository, 'index.yaml')
  const where = `chart repository ${redactUrl(repository)}`
  const get = () => fetchIndex(http, url, where, options)
  const text = await (options.indexes === undefined ? get() : options.indexes(url, get))
  const { url: listed, ...entry } = findInIndex(text, name, version, where)
  return { ...entry, url: chartUrl(repository, listed, where) }
}

/**
 * Downloads a located chart and checks it against the index's digest.
 * @throws an integrity error when the digest differs or it is no gzip
 */
export async function fetchChart(
  http: Http,
  repository: string,
  location: ChartLocation,
  options: ChartRepositoryOptions = {},
): Promise<Uint8Array> {
  const where = `chart repository ${redactUrl(repository)}, ${redactUrl(location.url)}`
  const { content } = await located(where, () =>
    download(http, location.url, downloadOptions(repository, location.url, CHART_LIMIT, options)),
  )
  if (content[0] !== 0x1f || content[1] !== 0x8b) {
    throw integrityError(
      `what was downloaded as chart ${location.name} ${location.version} is no gzip archive`,
      {
        where,
        next: 'a login page or a proxy may have answered instead of the repository',
      },
    )
  }
  const found = digestOf(content)
  if (location.sha256 !== undefined && found !== `sha256:${location.sha256}`) {
    throw integrityError(
      `chart ${location.name} ${location.version} is not what the index says: it has ${found}, the index sha256:${location.sha256}`,
      { where, next: 'run it again; if it stays, the chart was replaced after the index was written' },
    )
  }
  return content
}

/**
 * Resolves a URL of an index as Helm does: absolute ones stay; others are below the repository, whose query string
 * (a token, often) they inherit. https://github.com/helm/helm/blob/main/pkg/repo/chartrepo.go, ResolveReferenceURL
 */
export function resolveReferenceUrl(repository: string, reference: string): string {
  if (URL.canParse(reference)) return reference
  const base = new URL(repository)
  base.pathname = `${base.pathname.replace(/\/$/, '')}/`
  const resolved = new URL(reference, base)
  resolved.search = base.search
  return resolved.href
}

// --- internal ---

async function fetchIndex(
  http: Http,
  url: string,
  where: string,
  options: ChartRepositoryOptions,
): Promise<string> {
  const { content, headers } = await located(where, () =>
    download(http, url, downloadOptions(url, url, INDEX_LIMIT, options)),
  )
  // Nothing asked for compression, but some servers store the index compressed and say so.
  const isGzip = headers.get('content-encoding') === 'gzip' && content[0] === 0x1f
  return new TextDecoder().decode(isGzip ? unpacked(content, where) : content)
}

function unpacked(content: Uint8Array, where: string): Uint8Array {
  try {
    return gunzipSync(content, { maxOutputLength: INDEX_LIMIT })
  } catch (cause) {
    throw integrityError(`index.yaml is no gzip, or one that unpacks to more than ${INDEX_LIMIT} bytes`, {
      where,
      cause,
    })
  }
}

function downloadOptions(
  repository: string,
  url: string,
  limit: number,
  { credentials, signal, policy, onRetry }: ChartRepositoryOptions,
): DownloadOptions {
  const own = credentials !== undefined && new URL(repository).origin === new URL(url).origin
  return {
    limit,
    ...(own ? { authorization: basic(credentials) } : {}),
    ...(signal === undefined ? {} : { signal }),
    ...(policy === undefined ? {} : { policy }),
    ...(onRetry === undefined ? {} : { onRetry }),
  }
}

const basic = ({ username, password }: { readonly username: string; readonly password: string }): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`

function chartUrl(repository: string, listed: string, where: string): string {
  const url = resolveReferenceUrl(repository, listed)
  const { protocol, host } = new URL(url)
  const refuse = (why: string) =>
    new BundleError(`the index names ${redactUrl(url)}, which is refused: ${why}`, { kind: 'failed', where })
  if (!['https:', 'http:', 'oci:'].includes(protocol)) throw refuse('it is neither https, http nor oci')
  if (!mayLeadTo(new URL(repository).host, host)) {
    throw refuse('the address is not on the internet, but the repository is')
  }
  return url
}

/** Says in which repository it happened; the error itself names the URL. */
async function located<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof BundleError) || error.where !== undefined) throw error
    throw new BundleError(error.message, {
      kind: error.kind,
      where,
      cause: error,
      ...(error.next === undefined ? {} : { next: error.next }),
    })
  }
}
