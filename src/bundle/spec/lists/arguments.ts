import { basename, resolve } from 'node:path'
import { usageError } from '../../../lib/errors.ts'
import { describeLocalChart } from '../local-chart.ts'
import { splitOciUrl } from './format.ts'
import type { ListingWriter, ListPlace } from './listing.ts'

/** An image on the command line. */
export const readImageArgument = (text: string, to: ListingWriter): void =>
  to.image(text, { file: 'the command line' })

/**
 * A chart on the command line: `name@version=<repository>`, where the repository may be a folder or a package of this
 * machine, such a path alone, or `oci://host/folder/name:version`.
 */
export async function readChartArgument(text: string, to: ListingWriter): Promise<void> {
  const at: ListPlace = { file: `--chart ${text.slice(0, 200)}` }
  const named = NAMED.exec(text) ?? LISTED.exec(text)
  const [, name, version, where] = named ?? []
  if (name !== undefined && where !== undefined) {
    if (where.includes('://')) return to.chart({ name, version, repository: where }, at)
    return to.chart({ name, version, repository: near(where), local: resolve(where) }, at)
  }
  if (text.startsWith('oci://')) {
    const tag = /:([^:/]+)$/.exec(text.slice('oci://'.length))?.[1]
    const split = splitOciUrl(text)
    return to.chart(
      { name: split?.name, version: tag?.replaceAll('_', '+'), repository: split?.repository },
      at,
    )
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(text) || /^[a-z0-9._-]+@[^/]+$/.test(text)) {
    throw usageError(`--chart ${text} does not say ${text.includes('://') ? 'which chart' : 'where it is'}`, {
      next: 'write --chart grafana@8.15.0=https://…, =oci://host/folder, =./folder or =./chart.tgz, or a path alone',
    })
  }
  const chart = await describeLocalChart(resolve(text), near(text))
  to.chart(chart, at)
}

// --- internal ---

const NAMED = /^([^\s=|@/]+)@([^=|]+)=(.+)$/
const LISTED = /^([^|]+)\|([^|]+)\|(.+)$/

/** As a spec beside it would name it: paths of this machine do not travel. */
const near = (path: string): string => `./${basename(resolve(path))}`
