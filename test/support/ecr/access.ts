import { permit, type Principal, type Registry } from './registry.ts'
import type { Call } from './http.ts'
import type { ApiAction } from './options.ts'
import type { Quotas } from './quotas.ts'

/** Counts, prices and permits one action of one call. */
export type Charge = (call: Call, principal: Principal, action: ApiAction, repository?: string) => void

export const charger =
  (registry: Registry, quotas: Quotas): Charge =>
  (call, principal, action, repository) => {
    if (!call.entry.actions.includes(action)) call.entry.actions = [...call.entry.actions, action]
    call.entry.repository ??= repository
    permit(registry, principal, action, repository)
    quotas.take(action)
  }
