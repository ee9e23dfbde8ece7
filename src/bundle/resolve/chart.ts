import { messageOf, usageError } from '../../lib/errors.ts'
import type { Once } from '../../lib/once.ts'
import { isLoopback, redactUrl } from '../../lib/url.ts'
import { packChart } from '../../helm/artifact.ts'
import { repositoryAlias } from '../../helm/repositories-file.ts'
import { fetchChart, locateChart, type ChartRepositoryOptions } from '../../helm/repository.ts'
import { digestOf } from '../../oci/digest.ts'
import { createMemorySource } from '../../oci/memory.ts'
import { urlCandidates } from '../../registry/mirror.ts'
import type { ChartRoot } from '../format/root.ts'
import { isLocal } from '../spec/read.ts'
import type { SpecChart } from '../spec/spec.ts'
import { chartRoot } from './chart-root.ts'
import { readLocalChart } from '../spec/local/chart.ts'
import { firstOf } from './mirrored.ts'
import { fromRegistry, ociChart, ociRepositories, type OciChartOptions } from './oci-chart.ts'

export interface ChartOptions extends OciChartOptions {
  /** Indexes of chart repositories, fetched once for all charts. */
  readonly indexes: Once<string>
}

/** A chart to its artifact and its tgz: from this machine, from an HTTP repository or an OCI one, mirrors first. */
export async function resolveChart(listed: SpecChart, options: ChartOptions): Promise<ChartRoot> {
  const { session, mirrors, log } = options
  if (isLocal(listed.repository))
    return packed(listed, await readLocalChart(listed), listed.repository, options)
  const repositories = ociRepositories(listed)
  if (repositories !== undefined) return fromRegistry(listed, repositories, options)
  const known = await knownRepository(listed, options)
  const chart = known === undefined ? listed : { ...listed, repository: known.address }
  const places = urlCandidates(chart.repository, mirrors).map((place) => ({
    place,
    ...(place === chart.repository ? {} : { mirror: { host: new URL(place).host, place: redactUrl(place) } }),
  }))
  return firstOf(places, `chart ${chart.name} ${chart.version}`, log, ({ place, mirror }) => {
    session.signal.throwIfAborted()
    if (mirror !== undefined || known === undefined) return fromHttp(chart, place, options)
    return fromHttp(chart, known.url, options, known.login)
  })
}

// --- internal ---

type Login = ChartRepositoryOptions['credentials']

/** What helm knows of the repository: by its name, or by its address. */
async function knownRepository(
  { name, repository }: SpecChart,
  { session }: ChartOptions,
): Promise<{ readonly address: string; readonly url: string; readonly login?: Login } | undefined> {
  const known = await session.chartRepositories?.(repository)
  const alias = repositoryAlias(repository)
  if (alias !== undefined) {
    if (known !== undefined) return known
    throw usageError(`helm knows no chart repository "${alias}"`, {
      where: `chart ${name}`,
      next: `add it with: helm repo add ${alias} <address>, or write its address into the list`,
    })
  }
  if (known === undefined) return undefined
  // A query of the list's own stays; the token that helm keeps is for the address as helm has it.
  return new URL(repository).search === ''
    ? { ...known, address: repository }
    : { ...known, address: repository, url: repository }
}

async function fromHttp(
  chart: SpecChart,
  repository: string,
  options: ChartOptions,
  login?: Login,
): Promise<ChartRoot> {
  const { session, indexes } = options
  const { http, signal, emit } = session
  const { host } = new URL(repository)
  const web = {
    ...(await loginFor(repository, options, login)),
    indexes,
    signal,
    onRetry: (attempt: number, waitMs: number, error: unknown) => {
      emit({ type: 'retry', host, what: chart.name, attempt, waitMs, reason: messageOf(error) })
    },
  }
  const location = isPackage(repository)
    ? { name: chart.name, version: chart.version, url: repository }
    : await locateChart(http, repository, chart.name, chart.version, web)
  // An index may point to an OCI registry: https://github.com/helm/helm/issues/10312
  if (location.url.startsWith('oci://')) return ociChart(chart, location.url.slice('oci://'.length), options)
  const tgz = await fetchChart(http, repository, location, web)
  const provenance = new URL(location.url)
  provenance.pathname += '.prov'
  return { ...(await packed(chart, tgz, repository, options)), provenance: provenance.href }
}

/** The address of one packaged chart, as releases have it, and of no repository. */
const isPackage = (repository: string): boolean => new URL(repository).pathname.endsWith('.tgz')

/** A tgz, which no registry has made an artifact of yet. */
function packed(chart: SpecChart, tgz: Uint8Array, place: string, options: ChartOptions): Promise<ChartRoot> {
  const { manifest, config, layers } = packChart(tgz, `chart ${chart.name}`)
  const memory = createMemorySource()
  memory.add(digestOf(config), config)
  for (const { descriptor, content } of layers) memory.add(descriptor.digest, content)
  return chartRoot(chart, tgz, manifest, memory, place, options)
}

/** A user for the host, from where those of registries come from, or helm's; never in the clear over a network. */
async function loginFor(
  repository: string,
  { session }: ChartOptions,
  login: Login,
): Promise<Pick<ChartRepositoryOptions, 'credentials'>> {
  const { protocol, host } = new URL(repository)
  if (protocol !== 'https:' && !isLoopback(host)) return {}
  const given = await session.credentials?.(host)
  const found = given !== undefined && 'username' in given ? given : undefined
  // What the user gave for this run, or logged in with for this repository, before what is known of the host.
  const chosen = session.isGiven?.(host) === true ? found : (login ?? found)
  return chosen === undefined ? {} : { credentials: chosen }
}
