import { verdictLines } from '../../bundle/charts/judge/verdict.ts'
import type { ChartProof } from '../../bundle/format/charts/chart-proof.ts'
import type { CommandSession } from '../session.ts'
import { chartTable, tallyOfProof } from './chart-table.ts'

/** How each chart came out, then every open reference with its remedy. */
export function proofText(proofs: readonly ChartProof[], session: CommandSession): string {
  const head = chartTable(proofs.map(tallyOfProof), session)
  const details = [
    ...verdictLines(proofs),
    ...proofs.flatMap(({ chart, accepted, failures }) => [
      ...accepted.map(({ reference, reason }) => `${chart}: ${reference} stays public: ${reason}`),
      ...failures.map((words) => `${chart}: helm says: ${words}`),
    ]),
  ]
  return `${head}\n${details.length === 0 ? '' : `\n${details.join('\n')}\n`}\n`
}
