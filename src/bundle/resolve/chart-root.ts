import { BundleError } from '../../lib/errors.ts'
import { readChartMetadata } from '../../helm/chart.ts'
import { sameVersion } from '../../helm/version.ts'
import type { RawManifest, Source } from '../../oci/content.ts'
import type { Digest } from '../../oci/digest.ts'
import { walk } from '../../oci/graph.ts'
import type { ChartRoot } from '../format/root.ts'
import type { Network } from '../run/network.ts'
import type { SpecChart } from '../spec/spec.ts'

/**
 * What became of a chart of the list, when it is the one that was asked for.
 * @param place where its bytes came from
 * @throws for a chart of another name or version, and for one that the lock pins to another digest
 */
export async function chartRoot(
  chart: SpecChart,
  tgz: Uint8Array,
  manifest: RawManifest,
  source: Source,
  place: string,
  { session, locked }: { readonly session: Network; readonly locked?: Digest },
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
    ...(place.startsWith(chart.repository.replace(/\/+$/, '')) ? {} : { from: place }),
  }
}
