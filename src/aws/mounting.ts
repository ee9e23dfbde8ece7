import type { Ecr } from './ecr.ts'
import { AwsError } from './errors.ts'

/**
 * Whether the registry takes over layers from one repository into another (`BLOB_MOUNTING`, off unless enabled).
 * `unknown` when this identity may not ask, or an old API does not know the question: treat it as off.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html
 */
export async function blobMounting(ecr: Ecr): Promise<'on' | 'off' | 'unknown'> {
  try {
    const { value } = await ecr.call('GetAccountSetting', (api, options) =>
      api.getAccountSetting({ name: 'BLOB_MOUNTING' }, options),
    )
    return value === 'ENABLED' ? 'on' : 'off'
  } catch (error) {
    if (error instanceof AwsError && REFUSED.test(error.exception)) return 'unknown'
    throw error
  }
}

// --- internal ---

const REFUSED =
  /^(AccessDenied|AccessDeniedException|ValidationException|InvalidParameterException|UnknownOperationException|SerializationException|InternalFailure|NotImplemented.*|UnknownError|Error|501)$/
