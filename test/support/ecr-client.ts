import { awsConfig } from '../../src/aws/config/config.ts'
import { createEcr, type Ecr, type EcrOptions } from '../../src/aws/ecr/client.ts'
import { parseEcrHost } from '../../src/aws/host.ts'
import { iamPolicy, type PolicyUse } from '../../src/aws/iam-policy.ts'
import type { AwsEvent } from '../../src/aws/events.ts'
import type { Ecr as Double } from './ecr/server.ts'

export interface OpenedEcr {
  readonly ecr: Ecr
  readonly events: AwsEvent[]
}

/** Our client on a double, with its credentials and its authority. */
export function openEcr(double: Double, options: Partial<EcrOptions> = {}): OpenedEcr {
  const events: AwsEvent[] = []
  const ecr = createEcr({
    aws: awsConfig(double.environment),
    caFiles: double.caFile === '' ? [] : [double.caFile],
    emit: (event) => events.push(event),
    ...options,
  })
  return { ecr, events }
}

/** What a call was refused with. */
export async function refusalOf(run: () => Promise<unknown>): Promise<Error> {
  try {
    await run()
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
  throw new Error('it was not refused')
}

const HOST = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'

/** What the double was asked for since its log had `from` entries that the policy for `use` does not allow. */
export function actionsBeyond(double: Double, use: PolicyUse, from = 0): readonly string[] {
  const host = parseEcrHost(HOST)
  if (host === undefined) throw new Error(`${HOST} is not ECR`)
  const policy = iamPolicy({ for: use, host, prefix: 'mirrored', chartPrefix: 'charts' })
  const allowed = new Set(policy.Statement.flatMap(({ Action }) => Action))
  const used = double.log.entries.slice(from).flatMap(({ actions }) => actions)
  return [...new Set(used)].filter((action) => !allowed.has(`ecr:${action}`))
}
