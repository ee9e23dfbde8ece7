import type { ErrorKind } from '../../lib/errors.ts'
import { nextForDenied } from '../errors.ts'

/** What to do about a refusal of the registry's door. */
export interface EcrAdvice {
  readonly next: string
  readonly kind: ErrorKind
}

/**
 * What ECR's own words call for when they come from the registry, which gives no names of exceptions: IAM says which
 * action is denied and by which policy, and quotas are refused with the status of a denial.
 * @param words the registry's, as one line
 */
export function adviceForEcr(words: string, region: string): EcrAdvice | undefined {
  const [, action] = /not authorized to perform: (ecr:\w+)/.exec(words) ?? []
  if (action !== undefined) return { kind: 'auth', next: nextForDenied(words, { action, region }) }
  return ROWS.find(({ when }) => when.test(words))?.advice
}

// --- internal ---

/** https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html */
const ROWS: readonly { readonly when: RegExp; readonly advice: EcrAdvice }[] = [
  {
    when: /has reached its limit|exceeds? the (maximum|limit)|limit ?exceeded|maximum (allowed )?number/i,
    advice: {
      kind: 'failed',
      next:
        'raise the quota in Service Quotas (images in a repository, repositories), or delete what no kept bundle ' +
        'needs: ma-bundle prune',
    },
  },
  {
    when: /\bKMS\b/,
    advice: {
      kind: 'auth',
      next:
        'see whether the KMS key of the repository is enabled, and whether this identity may use it: kms:DescribeKey, ' +
        'kms:GenerateDataKey and kms:Decrypt',
    },
  },
  {
    when: /does not have any parts/,
    advice: {
      kind: 'failed',
      next: 'ECR cannot store an empty blob: have the image published with {} in place of nothing',
    },
  },
]
