import type { ChartProof } from '../../bundle/format/chart-proof.ts'
import type { Session } from '../session.ts'
import { table } from '../ui/table.ts'

/** A line a chart, then what is open in it with its remedy. */
export function proofText(proofs: readonly ChartProof[], { columns, style }: Session): string {
  const rows = proofs.map(({ chart, version, boundCount, open, failures }) => [
    chart,
    version,
    String(boundCount),
    String(open.filter(({ verdict }) => verdict === 'not-bundled').length),
    String(open.filter(({ verdict }) => verdict === 'unreachable').length),
    failures.length === 0 ? '' : 'did not render',
  ])
  const right = (title: string) => ({ title, align: 'right' as const, whole: true as const })
  const head = table(
    ['chart', 'version', right('bound'), right('not bundled'), right('unreachable'), ''],
    rows,
    columns,
    { style },
  )
  const details = proofs.flatMap(({ chart, open, accepted, failures }) => [
    ...accepted.map(({ reference, reason }) => `${chart}: ${reference} stays public: ${reason}`),
    ...open.map(
      ({ reference, at, verdict, remedy }) =>
        `${chart}: ${reference} (${verdict})\n  at:   ${at}\n  next: ${remedy}`,
    ),
    ...failures.map((words) => `${chart}: helm says: ${words}`),
  ])
  return `${head}\n${details.length === 0 ? '' : `\n${details.join('\n')}\n`}\n`
}
