import { BundleError } from '../../../lib/errors.ts'
import { archiveBudget, readChartArchive, type ArchiveBudget, type ChartFiles } from '../../chart-archive.ts'

const NESTING_LIMIT = 10

/**
 * The files of a packaged chart by path (`templates/…`), with the folders of subcharts in place of their nested tgz.
 * What `readChartArchive` refuses is refused; its limits are for all of it together.
 * @throws BundleError `failed` that names the file and what is wrong with it
 */
export const chartFiles = (tgz: Uint8Array, where = 'chart'): ChartFiles =>
  unpack(tgz, where, archiveBudget(), 0)

export const broken = (where: string, why: string, cause?: unknown): BundleError =>
  new BundleError(`the chart cannot be read: ${why}`, {
    kind: 'failed',
    where,
    ...(cause === undefined ? {} : { cause }),
  })

// --- internal ---

function unpack(tgz: Uint8Array, where: string, budget: ArchiveBudget, depth: number): ChartFiles {
  if (depth > NESTING_LIMIT) throw broken(where, `subcharts nest deeper than ${NESTING_LIMIT}`)
  const flat = new Map<string, Uint8Array>()
  for (const [path, content] of readChartArchive(tgz, (...why) => broken(where, ...why), budget)) {
    const packed = /^((?:.*\/)?charts\/[^/]+)\.tgz$/.exec(path)?.[1]
    if (packed === undefined) flat.set(path, content)
    else {
      for (const [inner, bytes] of unpack(content, `${where}, ${path}`, budget, depth + 1))
        flat.set(`${packed}/${inner}`, bytes)
    }
  }
  return flat
}
