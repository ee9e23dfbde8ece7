import { awsConfig } from '../../src/aws/config/config.ts'
import { createEcr, type Ecr, type EcrOptions } from '../../src/aws/ecr/client.ts'
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
