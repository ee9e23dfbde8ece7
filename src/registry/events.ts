/** What a conversation with a registry (or a chart host) reports besides its result. */
export type RegistryEvent =
  /** A request or body failed in a way that may pass; it is tried again after `waitMs`. */
  | {
      readonly type: 'retry'
      readonly host: string
      readonly what: string
      readonly attempt: number
      readonly waitMs: number
      readonly reason: string
    }
  /** The host asked for patience (429, `Retry-After`, `ratelimit-remaining: 0`); nothing is sent to it until then. */
  | { readonly type: 'throttle'; readonly host: string; readonly waitMs: number; readonly reason: string }
