import type { RootWeight } from '../bundle/report.ts'
import { formatBytes } from '../lib/format.ts'
import type { Session } from './session.ts'
import { table } from './ui/table.ts'

/** What is in a bundle and what each item weighs, largest first. */
export function exportSummary(weights: readonly RootWeight[], { columns, style }: Session): string {
  const rows = weights
    .toSorted((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1))
    .map(({ kind, name, size, own, from }) => [kind, name, formatBytes(size), formatBytes(own), from ?? ''])
  return table(
    [
      'kind',
      'name',
      { title: 'size', align: 'right', whole: true },
      { title: 'own', align: 'right', whole: true },
      'from mirror',
    ],
    rows,
    columns,
    { style },
  )
}
