import type { Prepared } from '../bundle/export.ts'
import { formatBytes, formatDuration } from '../lib/format.ts'
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
        ...(hub === undefined
          ? []
          : [
              `Docker Hub would count up to ${hub.cost} pulls` +
                (hub.remaining === undefined
                  ? '; it does not meter this machine.'
                  : `; ${hub.remaining} of ${hub.limit ?? '?'} remain.`),
            ]),
        ...(findings.length === 0 ? [] : [`ECR would refuse ${findings.length} things; see the warnings.`]),
        'Nothing was written.',
        '',
      ].join('\n'),
  ]
}
