import { parseEcrHost } from '../../../aws/host.ts'
import { isLoopback } from '../../../lib/url.ts'
import type { ChartContents } from '../../format/contents.ts'
import { chartRepository, type Layout } from '../../format/destination.ts'

/** For a POSIX shell. */
export const quoted = (text: string): string =>
  /^[\w@%+=:,./{}<>-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`

export const line = (...words: readonly string[]): string => words.map(quoted).join(' ')

/** As helm takes it; loopback is spoken to in the clear, as the import did. */
export const chartWords = (layout: Layout, { chart, version }: ChartContents): readonly string[] => [
  `oci://${layout.registry}/${chartRepository(layout, chart)}`,
  '--version',
  version,
  ...(isLoopback(layout.registry) ? ['--plain-http'] : []),
]

/** Helm knows no logins of ECR by itself. */
export function loginLine({ registry }: Layout): readonly string[] {
  const ecr = parseEcrHost(registry)
  return ecr === undefined
    ? []
    : [
        `aws ecr get-login-password --region ${ecr.region} | helm registry login --username AWS --password-stdin ${registry}`,
      ]
}

/** `{region}` and `{account}` of the registry; of one that is not ECR, a person has to fill them in. */
export function filled(text: string, { registry }: Layout): string {
  const ecr = parseEcrHost(registry)
  return text
    .replaceAll('{region}', ecr?.region ?? '<region>')
    .replaceAll('{account}', ecr?.account ?? '<account>')
}
