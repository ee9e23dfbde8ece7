/** What a fault does. Byte counts are of the request body for uploads, of the response body otherwise. */
export type S3FaultKind =
  | { readonly kind: 'answer'; readonly status: number; readonly code: string; readonly message?: string }
  /** The connection breaks after so many bytes. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** The answer ends after so many bytes, as if it were whole. */
  | { readonly kind: 'stall'; readonly afterBytes: number }
  | { readonly kind: 'delay'; readonly ms: number }
  /** The work is done, then the connection closes instead of the answer. */
  | { readonly kind: 'lose-answer' }
  /** One bit of the body is flipped on its way. */
  | { readonly kind: 'corrupt'; readonly atByte: number }

export interface S3Fault {
  /** As in `GetObject`; all of them by default. */
  readonly action?: string
  readonly key?: string
  readonly fault: S3FaultKind
  /** How often it strikes; once by default. */
  readonly times?: number
  /** How many matching requests pass first. */
  readonly skip?: number
  /** Every so many matching requests only. */
  readonly every?: number
}

export interface S3Faults {
  add(...faults: readonly S3Fault[]): void
  clear(): void
  next(action: string, key: string): S3FaultKind | undefined
}

export function createS3Faults(): S3Faults {
  let planned: { readonly fault: S3Fault; seen: number; struck: number }[] = []
  return {
    add(...faults) {
      planned.push(...faults.map((fault) => ({ fault, seen: 0, struck: 0 })))
    },
    clear() {
      planned = []
    },
    next(action, key) {
      for (const one of planned) {
        const { fault } = one
        if (fault.action !== undefined && fault.action !== action) continue
        if (fault.key !== undefined && fault.key !== key) continue
        if (one.struck >= (fault.times ?? 1)) continue
        one.seen += 1
        if (one.seen <= (fault.skip ?? 0)) continue
        if (fault.every !== undefined && (one.seen - (fault.skip ?? 0)) % fault.every !== 0) continue
        one.struck += 1
        return fault.fault
      }
      return undefined
    },
  }
}
