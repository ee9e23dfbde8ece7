import { EcrError } from './errors.ts'
import type { ApiAction } from './options.ts'

/** Calls per second. https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html */
export const DEFAULT_QUOTAS: Readonly<Partial<Record<ApiAction, number>>> = {
  GetAuthorizationToken: 500,
  BatchCheckLayerAvailability: 1000,
  InitiateLayerUpload: 100,
  UploadLayerPart: 500,
  CompleteLayerUpload: 100,
  PutImage: 10,
  BatchGetImage: 2000,
  GetDownloadUrlForLayer: 3000,
}

export interface Quotas {
  /** @throws ThrottlingException */
  take(action: ApiAction): void
}

/** A token bucket per action that holds one second's worth. */
export function createQuotas(over: Partial<Record<ApiAction, number>> | 'none' = {}): Quotas {
  if (over === 'none') return { take() {} }
  const rates = new Map(Object.entries({ ...DEFAULT_QUOTAS, ...over }))
  const buckets = new Map<string, { tokens: number; at: number }>()
  return {
    take(action) {
      const rate = rates.get(action)
      if (rate === undefined) return
      const now = performance.now()
      const bucket = buckets.get(action) ?? { tokens: Math.max(1, rate), at: now }
      bucket.tokens = Math.min(Math.max(1, rate), bucket.tokens + ((now - bucket.at) / 1000) * rate)
      bucket.at = now
      buckets.set(action, bucket)
      if (bucket.tokens < 1) throw new EcrError('ThrottlingException', 'Rate exceeded')
      bucket.tokens -= 1
    },
  }
}
