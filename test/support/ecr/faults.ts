import type { Plane } from './log.ts'
import type { ApiAction } from './options.ts'

/** What a fault does. Byte counts are of the request body when there is one, otherwise of the response body. */
export type FaultKind =
  /** An answer instead of the work. Without a body: the plane's own error with that status. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly body?: string
      readonly headers?: Record<string, string>
    }
  /** The connection breaks after that many body bytes. What arrived of an upload stays in its session. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** Nothing moves any more after that many body bytes; the connection stays open. */
  | { readonly kind: 'stall'; readonly afterBytes: number }
  /** The work begins later. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** The connection closes at once. */
  | { readonly kind: 'close' }
  /** The work is done, then the connection closes instead of the answer. */
  | { readonly kind: 'lose-answer' }
  /** One bit of the response body is flipped. */
  | { readonly kind: 'corrupt'; readonly atByte: number }
  /** A manifest PUT is answered as a success, but its tag is not recorded (aws/containers-roadmap#2627). */
  | { readonly kind: 'lose-tag' }

export interface FaultMatch {
  readonly plane?: Plane
  readonly action?: ApiAction
  readonly method?: string
  /** The path without query: whole, or a pattern. */
  readonly path?: string | RegExp
}

export interface Fault {
  readonly on: FaultMatch
  readonly fault: FaultKind
  /** How often it strikes; once by default. */
  readonly times?: number
  /** How many matching requests pass first. */
  readonly skip?: number
  /** Chance per matching request, 0..1, drawn from the plan's seed. */
  readonly probability?: number
}

export interface FaultPlan {
  readonly seed?: number
  readonly faults: readonly Fault[]
}

export interface FaultRequest {
  readonly plane: Plane
  readonly actions: readonly ApiAction[]
  readonly method: string
  readonly path: string
}

export interface Faults {
  /** Adds to what is planned. */
  add(...faults: readonly Fault[]): void
  /** Replaces what is planned. */
  set(plan: FaultPlan): void
  clear(): void
  /** The first planned fault that strikes this request. */
  next(request: FaultRequest): FaultKind | undefined
}

export function createFaults(plan: FaultPlan = { faults: [] }): Faults {
  let planned: { fault: Fault; seen: number; struck: number }[] = []
  let random = mulberry32(1)
  const add = (...faults: readonly Fault[]) => {
    planned.push(...faults.map((fault) => ({ fault, seen: 0, struck: 0 })))
  }
  const set = (plan: FaultPlan) => {
    planned = []
    random = mulberry32(plan.seed ?? 1)
    add(...plan.faults)
  }
  set(plan)
  return {
    add,
    set,
    clear: () => set({ faults: [] }),
    next(request) {
      for (const one of planned) {
        if (!matches(one.fault.on, request) || one.struck >= (one.fault.times ?? 1)) continue
        one.seen += 1
        if (one.seen <= (one.fault.skip ?? 0)) continue
        if (one.fault.probability !== undefined && random() >= one.fault.probability) continue
        one.struck += 1
        return one.fault.fault
      }
      return undefined
    },
  }
}

// --- internal ---

const matches = (on: FaultMatch, request: FaultRequest): boolean =>
  (on.plane === undefined || on.plane === request.plane) &&
  (on.action === undefined || request.actions.includes(on.action)) &&
  (on.method === undefined || on.method === request.method) &&
  (on.path === undefined ||
    (typeof on.path === 'string' ? on.path === request.path : on.path.test(request.path)))

/** A small seeded generator of numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
