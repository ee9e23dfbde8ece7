/** What a conversation with AWS reports besides its result. */
export type AwsEvent =
  /** A call failed in a way that may pass; the SDK has tried it again. */
  | {
      readonly type: 'retry'
      readonly host: string
      readonly what: string
      readonly attempt: number
      readonly waitMs: number
      readonly reason: string
    }
  | {
      readonly type: 'warning'
      readonly message: string
      readonly where?: string
      readonly next?: string
    }
