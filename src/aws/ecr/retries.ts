import { messageOf } from '../../lib/errors.ts'
import type { Emit } from '../../lib/events.ts'
import type { AwsEvent } from '../events.ts'
import type { ECR } from '@aws-sdk/client-ecr'

/** Reports each further attempt of a call; the SDK itself retries in silence. */
export function reportRetries({ middlewareStack }: ECR, host: string, emit: Emit<AwsEvent>): void {
  middlewareStack.add(
    (next, context) => {
      let failure: { reason: string; at: number } | undefined
      let attempt = 0
      return async (args) => {
        attempt += 1
        if (failure !== undefined) {
          const { reason, at } = failure
          const what = (context.commandName ?? 'call').replace(/Command$/, '')
          emit({ type: 'retry', host, what: `ecr:${what}`, attempt, waitMs: Date.now() - at, reason })
        }
        try {
          return await next(args)
        } catch (error) {
          failure = {
            reason: error instanceof Error ? `${error.name}: ${messageOf(error)}` : messageOf(error),
            at: Date.now(),
          }
          throw error
        }
      }
    },
    // Inside the SDK's own retry middleware, which stands in the same step with high priority.
    { step: 'finalizeRequest', priority: 'low', name: 'reportRetries' },
  )
}
