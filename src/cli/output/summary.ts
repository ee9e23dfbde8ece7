import type { AtDestination } from '../../bundle/import/compare-plan.ts'
import type { RootWeight } from '../../bundle/export/weights.ts'
import { formatBytes } from '../../lib/format.ts'
import type { CommandSession } from '../session.ts'
import { shortened, table } from '../ui/table.ts'

/** What is in a bundle and what each item weighs, largest first; and what a registry has of it, when that was asked. */
export function exportSummary(
  weights: readonly RootWeight[],
  session: CommandSession,
  destination?: AtDestination,
): string {
  const states = new Map(destination?.roots.map(({ kind, name, state }) => [`${kind} ${name}`, state]))
  const isMirrored = weights.some(({ from }) => from !== undefined)
  const all = weights
    .toSorted((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1))
    .map(({ kind, name, size, own, from }) => [
      kind,
      name,
      formatBytes(size),
      formatBytes(own),
      ...(destination === undefined ? [] : [STATES[states.get(`${kind} ${name}`) ?? 'none']]),
      ...(isMirrored ? [from ?? ''] : []),
    ])
  const { rows, more } = shortened(all, session)
  const listed = table(
    [
      'kind',
      'name',
      { title: 'size', align: 'right', whole: true },
      { title: 'own', align: 'right', whole: true },
      ...(destination === undefined ? [] : [{ title: 'there', whole: true } as const]),
      ...(isMirrored ? ['from mirror'] : []),
    ],
    rows,
    session.columns,
    { style: session.style },
  )
  return [listed, ...more].join('\n')
}

// --- internal ---

const STATES = { there: 'yes', moves: 'another', missing: 'no', none: '' } as const
