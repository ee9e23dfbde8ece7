import { stat } from 'node:fs/promises'
import { codeOf, usageError } from '../../../lib/errors.ts'
import { readSmall, whyUnreadable } from '../../../lib/bytes/small-file.ts'
import { readChartMetadata } from '../../../helm/chart.ts'
import { packFolder } from '../../../helm/folder.ts'
import type { SpecChart } from '../spec.ts'

/** As much as a chart repository may send. */
const CHART_LIMIT = 128 * 1024 * 1024

/**
 * A chart of this machine as a tgz: a package as it is, a folder packed.
 * @throws a usage error when there is none
 */
export async function readLocalChart({ name, repository, local }: SpecChart): Promise<Uint8Array> {
  if (local === undefined) {
    throw usageError(`the chart lies in ${repository}, beside a spec that is not here`, {
      where: `chart ${name}`,
      next: 'give the spec again with --spec, or the chart with --chart',
    })
  }
  return readChartAt(local, repository)
}

/** A chart that is known by its path alone. */
export async function describeLocalChart(
  path: string,
  repository: string,
): Promise<SpecChart & { readonly local: string }> {
  const { name, version } = readChartMetadata(await readChartAt(path, repository), repository)
  return { name, version, repository, local: path, key: name }
}

// --- internal ---

async function readChartAt(path: string, shown: string): Promise<Uint8Array> {
  try {
    if ((await stat(path)).isDirectory()) return await packFolder(path, shown)
    return await readSmall(path, CHART_LIMIT)
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    throw usageError(`cannot read the chart ${shown}: ${whyUnreadable(error)}`, { cause: error })
  }
}
