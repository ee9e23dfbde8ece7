import { BundleError } from '../../lib/errors.ts'
import { chartLayer } from '../../helm/artifact.ts'
import { versionTags } from '../../helm/version.ts'
import type { RawManifest, Source } from '../../oci/content.ts'
import type { Digest } from '../../oci/digest.ts'
import { parseManifest } from '../../oci/manifest.ts'
import { createMemorySource } from '../../oci/memory.ts'
import { parseReference, repositoryName, type Reference } from '../../oci/reference.ts'
import { isGone } from '../../registry/error.ts'
import { candidates, type Mirrors } from '../../registry/mirror.ts'
import { openRepository } from '../../registry/repository.ts'
import type { ChartRoot } from '../format/root.ts'
import type { Network } from '../run/network.ts'
import type { SpecChart } from '../spec/spec.ts'
import { chartRoot } from './chart-root.ts'
import { fetchWhole, firstOf, sourcesOf, type MirrorLog, type MirrorOrOrigin } from './mirrored.ts'

export interface OciChartOptions {
  readonly session: Network
  readonly mirrors: Mirrors
  readonly locked?: Digest
  readonly log: MirrorLog
}

/** Charts weigh kilobytes; Helm itself gives up at 100 MiB unpacked. */
const CHART_LIMIT = 128 * 1024 * 1024

/**
 * The repositories of a registry that a chart may be in, likeliest first: `helm push` adds the chart's name to the
 * address, and people write it with the name too, because `helm pull` wants it so. Undefined for another address.
 */
export function ociRepositories({
  repository,
  name,
}: Pick<SpecChart, 'repository' | 'name'>): readonly string[] | undefined {
  const [, path] = /^oci:\/\/(.+?)\/*$/.exec(repository) ?? []
  if (path === undefined) return undefined
  return path.endsWith(`/${name}`) ? [`${path}/${name}`, path] : [`${path}/${name}`]
}

/** A chart in a registry below the address that the list has. */
export async function fromRegistry(
  chart: SpecChart,
  repositories: readonly string[],
  options: OciChartOptions,
): Promise<ChartRoot> {
  const [first = '', second] = repositories
  try {
    return await ociChart(chart, first, options)
  } catch (error) {
    if (second === undefined || !isAbsent(error)) throw error
    return ociChart(chart, second, options)
  }
}

/** @param written `host/path`, perhaps with a tag or digest */
export async function ociChart(
  chart: SpecChart,
  written: string,
  options: OciChartOptions,
): Promise<ChartRoot> {
  const { session, mirrors, log } = options
  const named = parseReference(written)
  const pinned = /[:@][^/]*$/.test(written.slice(written.indexOf('/')))
    ? (named.digest ?? named.tag)
    : undefined
  const tags = pinned === undefined ? versionTags(chart.version) : [pinned]
  const origin = repositoryName(named)
  const places = candidates(named, mirrors).map((place) => placeOf(place, origin, session))
  const wanted = `chart ${chart.name} ${chart.version}`
  return firstOf(places, wanted, log, async (place) => {
    session.signal.throwIfAborted()
    const where = `source oci://${place.name}`
    const raw = await findVersion(place.source, tags, options.locked)
    const layer = chartLayer(parseManifest(raw, where), where)
    if (layer.size > CHART_LIMIT)
      throw new BundleError(`the chart has ${layer.size} bytes`, { kind: 'failed', where })
    const all = [place, ...places.filter((other) => other !== place)]
    const tgz = await fetchWhole(all, layer, wanted, log)
    const { first, all: sources } = sourcesOf(all, wanted, log)
    const memory = createMemorySource(first)
    memory.add(layer.digest, tgz)
    const root = await chartRoot(chart, tgz, raw, memory, `oci://${place.name}`, options)
    return { ...root, alternatives: sources.slice(1), origin }
  })
}

// --- internal ---

interface ChartPlace extends MirrorOrOrigin {
  readonly name: string
}

function placeOf(place: Reference, origin: string, { client }: Network): ChartPlace {
  const name = repositoryName(place)
  const source = openRepository(client, place.registry, place.repository)
  return name === origin ? { name, source } : { name, source, mirror: { host: place.registry, place: name } }
}

/** Registries that hide what one may not see answer 401 or 403 for what is not there. */
const isAbsent = (error: unknown): boolean =>
  isGone(error) || (error instanceof BundleError && error.kind === 'auth')

/** Tags are literal in OCI; the list may say the version without its `v`, or with one too many. */
async function findVersion(source: Source, tags: readonly string[], locked?: Digest): Promise<RawManifest> {
  if (locked !== undefined) return source.resolve(locked)
  let failure: unknown
  for (const tag of tags) {
    try {
      return await source.resolve(tag)
    } catch (error) {
      if (!isGone(error)) throw error
      failure ??= error
    }
  }
  throw failure
}
