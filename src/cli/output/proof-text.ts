import { verdictLines } from '../../bundle/charts/judge/verdict.ts'
import type { ChartProof } from '../../bundle/format/chart-proof.ts'
import type { Session } from '../session.ts'
import { NEEDS } from '../../helm/values/uses.ts'
import { table } from '../ui/table.ts'

/** A line a chart, with what is open in it by need; then every open reference with its remedy. */
export function proofText(proofs: readonly ChartProof[], { columns, style }: Session): string {
  const rows = proofs.map(({ chart, version, boundCount, open, off, failures }) => [
    chart,
    version,
    String(boundCount),
    ...NEEDS.map((need) => String(open.filter((one) => one.need === need).length)),
    failures.length === 0 ? (off === undefined ? '' : 'not installed') : 'did not render',
  ])
  const right = (title: string) => ({ title, align: 'right' as const, whole: true as const })
  const head = table(
    ['chart', 'version', right('bound'), right('needed'), right('on demand'), right('unknown'), ''],
    rows,
    columns,
    { style },
  )
  const details = [
    ...verdictLines(proofs),
    ...proofs.flatMap(({ chart, accepted, failures }) => [
      ...accepted.map(({ reference, reason }) => `${chart}: ${reference} stays public: ${reason}`),
      ...failures.map((words) => `${chart}: helm says: ${words}`),
    ]),
  ]
  return `${head}\n${details.length === 0 ? '' : `\n${details.join('\n')}\n`}\n`
}
