import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Layout } from '../../bundle/format/destination.ts'
import type { Bundle } from '../../bundle/format/open.ts'
import { valuesFor, type ValuesOptions } from '../../bundle/charts/values.ts'
import { replaceFile } from '../../lib/bytes/write-whole.ts'
import { codeOf, usageError } from '../../lib/errors.ts'
import { whyUnwritable } from '../../lib/file-errors.ts'
import { plural } from '../../lib/format.ts'

export const defaultValuesFile = 'ma-bundle-values.yaml'

/** What was written, for the result. */
export interface WrittenValues {
  /** The umbrella file's name; absent when nothing was written. */
  readonly file?: string
  readonly data: object
  readonly lines: readonly string[]
}

/** Writes the umbrella override, and beside it a folder with one values file a chart: `<name>.d/<chart>.yaml`. */
export async function writeValues(
  file: string,
  bundle: Bundle,
  layout: Layout,
  options: ValuesOptions = {},
): Promise<WrittenValues> {
  const values = await valuesFor(bundle, layout, options)
  if (values === undefined)
    return { data: {}, lines: ['It is a layout of another tool: no charts, no values override.'] }
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
  const pulled = values.unbound.filter(({ off }) => !off)
  const off = values.unbound.length - pulled.length
  return {
    file: basename(file),
    data: { values: basename(file), chartValues: [...values.charts.keys()], unbound: values.unbound },
    lines: [
      `Wrote ${basename(file)}, for the chart that installs the others${values.charts.size === 0 ? '' : `, and ${plural(values.charts.size, 'file')} for single charts in ${basename(folder)}/`}.`,
      ...(pulled.length === 0 ? [] : ['Not bound, because the bundle does not have the image:']),
      ...pulled.map(({ chart, path, reference }) => `  ${chart} ${path}: ${reference}`),
      ...(off === 0
        ? []
        : [
            `  ${plural(off, 'more place')} would need images that the bundle does not have, once switched on; --json lists them.`,
          ]),
    ],
  }
}
