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
          throw isSpare(context.commandName) && attempt >= SPARE_ATTEMPTS ? final(error) : error
        }
      }
    },
    // Inside the SDK's own retry middleware, which stands in the same step with high priority.
    { step: 'finalizeRequest', priority: 'low', name: 'reportRetries' },
  )
}

// --- internal ---

/** Tries of a call that only saves work: whoever waits for it waits for nothing. */
const SPARE_ATTEMPTS = 2

const isSpare = (command = ''): boolean => command === 'GetAccountSettingCommand'

/** The failure in the same words, without the marks by which the SDK knows what to try again; it looks at causes too. */
function final(error: unknown): Error {
  const last = new Error(messageOf(error))
  return error instanceof Error ? Object.assign(last, { name: error.name }) : last
}
