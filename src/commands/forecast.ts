import type { Prepared } from '../bundle/export.ts'
import type { HubBudget } from '../bundle/hub-budget.ts'
import { formatBytes, formatDuration, plural } from '../lib/format.ts'
import type { Session } from './session.ts'
import { exportSummary } from './summary.ts'

/**
 * What an export would be: the data for programs, and the text for people.
 * @param rate bytes per second
 */
export function forecast(
  { size, toFetch, weights, hub, findings }: Prepared,
  rate: number,
  session: Session,
): [data: object, text: () => string] {
  const seconds = Math.ceil(toFetch / rate)
  const data = { dryRun: true, size, toFetch, disk: size, seconds, rate, hub, findings, roots: weights }
  return [
    data,
    () =>
      [
        exportSummary(weights, session),
        `Would write ${formatBytes(size)} (no more disk than that), fetching ${formatBytes(toFetch)}: ` +
          `${formatDuration(seconds * 1000)} at ${formatBytes(rate)}/s.`,
        ...(hub === undefined ? [] : [hubText(hub)]),
        ...(findings.length === 0 ? [] : [`ECR would refuse ${findings.length} things; see the warnings.`]),
        'Nothing was written.',
        '',
      ].join('\n'),
  ]
}

/** What Docker Hub counts, and what is left of its quota. */
export const hubText = ({ cost, remaining, limit }: HubBudget): string =>
  `Docker Hub would count up to ${plural(cost, 'pull')}; ` +
  (remaining === undefined ? 'it does not meter this machine.' : `${remaining} of ${limit ?? '?'} remain.`)
