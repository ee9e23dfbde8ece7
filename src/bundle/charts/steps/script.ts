import type { ChartContents } from '../../format/contents.ts'
import type { Layout } from '../../format/destination.ts'
import type { OverrideFacts } from '../values.ts'
import { filled, line, loginLine, quoted } from './words.ts'

/** The product's own way to install what was imported: nothing where there is none, or it would pull from outside. */
export function scriptLines(
  facts: OverrideFacts,
  own: ChartContents | undefined,
  admission: { readonly policy: readonly string[] | undefined; readonly isNeeded: boolean },
  { layout, values, bundle }: { readonly layout: Layout; readonly values: string; readonly bundle?: string },
): readonly string[] {
  const { script, files = [] } = facts.install.consumer?.install ?? {}
  const isThere = files.every((name) =>
    facts.roots.some((root) => root.kind === 'file' && root.name === name),
  )
  // A script takes no post-renderer, and what it sets over all values only admission reaches.
  if (script === undefined || own === undefined || bundle === undefined || !isThere) return []
  if (admission.isNeeded && admission.policy === undefined) return []
  const tgz = `${own.chart}-${own.version}.tgz`
  const run = filled(script, layout)
    .replaceAll('{chart}', tgz)
    .replaceAll('{folder}', own.chart)
    .replaceAll('{values}', quoted(values))
    .replaceAll('{version}', own.version)
  return [
    ...loginLine(layout),
    ...(admission.isNeeded ? (admission.policy ?? []) : []),
    line('ma-bundle', 'extract', bundle, own.chart, ...files),
    ...(script.includes('{folder}') ? [line('tar', 'xzf', tgz)] : []),
    files.length === 0 ? run : `chmod +x ${files.map(quoted).join(' ')} && ${run}`,
  ]
}
