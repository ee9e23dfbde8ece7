import { BundleError, messageOf } from '../../lib/errors.ts'
import type { Once } from '../../lib/once.ts'
import { isLoopback, redactUrl } from '../../lib/url.ts'
import { chartLayer, packChart } from '../../helm/artifact.ts'
import { readChartMetadata } from '../../helm/chart.ts'
import { fetchChart, locateChart, type ChartRepositoryOptions } from '../../helm/repository.ts'
import { sameVersion, versionTags } from '../../helm/version.ts'
import type { RawManifest, Source } from '../../oci/content.ts'
import { digestOf, type Digest } from '../../oci/digest.ts'
import { walk } from '../../oci/graph.ts'
import { parseManifest } from '../../oci/manifest.ts'
import { createMemorySource } from '../../oci/memory.ts'
import { parseReference, repositoryName } from '../../oci/reference.ts'
import { candidates, urlCandidates, type Mirrors } from '../../registry/mirror.ts'
import { openRepository } from '../../registry/repository.ts'
import type { ChartRoot } from '../format/root.ts'
import type { Session } from '../run/network.ts'
import { isLocal } from '../spec/read.ts'
import type { SpecChart } from '../spec/spec.ts'
import { readLocalChart } from '../spec/local-chart.ts'
import { fetchWhole, firstOf, sourcesOf, type MirrorLog, type Place } from './mirrored.ts'

export interface ChartOptions {
  readonly session: Session
  readonly mirrors: Mirrors
  readonly locked?: Digest
  /** Indexes of chart repositories, fetched once for all charts. */
  readonly indexes: Once<string>
  readonly log: MirrorLog
}

/** A chart to its artifact and its tgz: from this machine, from an HTTP repository or an OCI one, mirrors first. */
export async function resolveChart(chart: SpecChart, options: ChartOptions): Promise<ChartRoot> {
  const { repository } = chart
  if (isLocal(repository)) return packed(chart, await readLocalChart(chart), repository, options)
  if (repository.startsWith('oci://')) return fromOci(chart, `${trimmed(repository)}/${chart.name}`, options)
  const places = urlCandidates(repository, options.mirrors).map((place) => ({
    place,
    ...(place === repository ? {} : { mirror: { host: new URL(place).host, place: redactUrl(place) } }),
  }))
  return firstOf(places, nameFor(chart), options.log, ({ place }) => {
    options.session.signal.throwIfAborted()
    return fromHttp(chart, place, options)
  })
}

// --- internal ---

interface ChartPlace extends Place {
  readonly name: string
}

const nameFor = ({ name, version }: SpecChart): string => `chart ${name} ${version}`

/** Charts weigh kilobytes; Helm itself gives up at 100 MiB unpacked. */
const CHART_LIMIT = 128 * 1024 * 1024

const trimmed = (url: string): string => url.replace(/\/+$/, '')

async function fromHttp(chart: SpecChart, repository: string, options: ChartOptions): Promise<ChartRoot> {
  const { session, indexes } = options
  const { http, signal, emit } = session
  const { host } = new URL(repository)
  const web = {
    ...(await loginFor(repository, session)),
    indexes,
    signal,
    onRetry: (attempt: number, waitMs: number, error: unknown) => {
      emit({ type: 'retry', host, what: chart.name, attempt, waitMs, reason: messageOf(error) })
    },
  }
  const location = await locateChart(http, repository, chart.name, chart.version, web)
  // An index may point to an OCI registry: https://github.com/helm/helm/issues/10312
  if (location.url.startsWith('oci://')) return fromOci(chart, location.url, options)
  const tgz = await fetchChart(http, repository, location, web)
  return packed(chart, tgz, repository, options)
}

/** A tgz, which no registry has made an artifact of yet. */
function packed(chart: SpecChart, tgz: Uint8Array, place: string, options: ChartOptions): Promise<ChartRoot> {
  const { manifest, config, layers } = packChart(tgz, `chart ${chart.name}`)
  const memory = createMemorySource()
  memory.add(digestOf(config), config)
  for (const { descriptor, content } of layers) memory.add(descriptor.digest, content)
  return finished(chart, tgz, manifest, memory, place, options)
}

/** A user for the host, from where those of registries come from; never in the clear over a network. */
async function loginFor(
  repository: string,
  { credentials }: Session,
): Promise<Pick<ChartRepositoryOptions, 'credentials'>> {
  const { protocol, host } = new URL(repository)
  if (protocol !== 'https:' && !isLoopback(host)) return {}
  const found = await credentials?.(host)
  return found !== undefined && 'username' in found ? { credentials: found } : {}
}

async function fromOci(chart: SpecChart, url: string, options: ChartOptions): Promise<ChartRoot> {
  const { session, mirrors, log } = options
  const written = url.slice('oci://'.length)
  const named = parseReference(written)
  const pinned = /[:@][^/]*$/.test(written.slice(written.indexOf('/')))
    ? (named.digest ?? named.tag)
    : undefined
  const tags = pinned === undefined ? versionTags(chart.version) : [pinned]
  const places = candidates(named, mirrors).map((place): ChartPlace => {
    const name = repositoryName(place)
    const source = openRepository(session.client, place.registry, place.repository)
    return name === repositoryName(named)
      ? { name, source }
      : { name, source, mirror: { host: place.registry, place: name } }
  })
  return firstOf(places, nameFor(chart), log, async (place) => {
    session.signal.throwIfAborted()
    const where = `source oci://${place.name}`
    const raw = await findVersion(place.source, tags, options.locked)
    const layer = chartLayer(parseManifest(raw, where), where)
    if (layer.size > CHART_LIMIT)
      throw new BundleError(`the chart has ${layer.size} bytes`, { kind: 'failed', where })
    const all = [place, ...places.filter((other) => other !== place)]
    const tgz = await fetchWhole(all, layer, nameFor(chart), log)
    const { first, all: sources } = sourcesOf(all, nameFor(chart), log)
    const memory = createMemorySource(first)
    memory.add(layer.digest, tgz)
    const root = await finished(chart, tgz, raw, memory, `oci://${place.name}`, options)
    return { ...root, alternatives: sources.slice(1) }
  })
}

/** Tags are literal in OCI; the list may say the version without its `v`, or with one too many. */
async function findVersion(source: Source, tags: readonly string[], locked?: Digest): Promise<RawManifest> {
  if (locked !== undefined) return source.resolve(locked)
  let failure: unknown
  for (const tag of tags) {
    try {
      return await source.resolve(tag)
    } catch (error) {
      if (!isMissing(error)) throw error
      failure ??= error
    }
  }
  throw failure
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'status' in error && error.status === 404

async function finished(
  chart: SpecChart,
  tgz: Uint8Array,
  manifest: RawManifest,
  source: Source,
  place: string,
  { session, locked }: ChartOptions,
): Promise<ChartRoot> {
  const where = `chart ${chart.name} ${chart.version}`
  const { name, version } = readChartMetadata(tgz, where)
  if (name !== chart.name || !sameVersion(version, chart.version)) {
    throw new BundleError(`the repository gave ${name} ${version}`, {
      kind: 'failed',
      where,
      next: 'correct the list',
    })
  }
  const found = manifest.descriptor.digest
  if (locked !== undefined && found !== locked) {
    throw new BundleError(`the chart was changed: the lock says ${locked}, the repository gives ${found}`, {
      kind: 'integrity',
      where,
    })
  }
  if (version !== chart.version) {
    session.emit({
      type: 'warning',
      message: `its Chart.yaml says ${version}; that is its tag in the registry`,
      where,
    })
  }
  return {
    kind: 'chart',
    name: `${name}:${version}`,
    chart: name,
    version,
    repository: chart.repository,
    graph: await walk(source, manifest, where),
    source,
    tgz,
    ...(place.startsWith(trimmed(chart.repository)) ? {} : { from: place }),
  }
}
