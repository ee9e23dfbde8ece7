import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { replaceFile } from '../../lib/bytes/write-whole.ts'
import { codeOf, usageError } from '../../lib/errors.ts'
import { whyUnwritable } from '../../lib/file-errors.ts'
import type { UnboundIn } from '../charts/override.ts'
import { valuesFor, type ValuesOptions } from '../charts/values.ts'
import type { Layout } from '../format/destination.ts'
import type { Bundle } from '../format/open.ts'

export const defaultValuesFile = 'ma-bundle-values.yaml'

/** The values files that were written. */
export interface WrittenValues {
  /** The umbrella file's name. */
  readonly file: string
  /** The folder beside it, with a file for each of `charts`. */
  readonly folder: string
  readonly charts: readonly string[]
  /** Places that name an image the bundle does not have. */
  readonly unbound: readonly UnboundIn[]
}

/**
 * Writes the umbrella override, and beside it a folder with one values file a chart: `<name>.d/<chart>.yaml`.
 * @returns nothing for a layout of another tool, which has no charts
 * @throws a usage error when they cannot be written
 */
export async function writeValues(
  file: string,
  bundle: Bundle,
  layout: Layout,
  options: ValuesOptions = {},
): Promise<WrittenValues | undefined> {
  const values = await valuesFor(bundle, layout, options)
  if (values === undefined) return undefined
  const folder = `${file.replace(/\.ya?ml$/, '')}.d`
  try {
    await replaceFile(file, values.umbrella)
    if (values.charts.size > 0) await mkdir(folder, { recursive: true })
    for (const [chart, yaml] of values.charts) await replaceFile(join(folder, `${chart}.yaml`), yaml)
  } catch (error) {
    throw usageError(
      `cannot write the values override: ${whyUnwritable(error) ?? codeOf(error) ?? 'unknown error'}`,
      {
        where: basename(file),
        next: 'name another file with --values; everything is in the registry already',
        cause: error,
      },
    )
  }
  return {
    file: basename(file),
    folder: basename(folder),
    charts: [...values.charts.keys()],
    unbound: values.unbound,
  }
}
