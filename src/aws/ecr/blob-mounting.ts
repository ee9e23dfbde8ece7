import { BundleError } from '../../lib/errors.ts'
import type { Ecr } from './client.ts'

/**
 * Whether the registry takes over layers from one repository into another (`BLOB_MOUNTING`, off unless enabled).
 * `unknown` when this identity may not ask, or what answers does not know the question: treat it as off. It only
 * saves uploads, so it is no reason to fail.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html
 */
export async function blobMounting(ecr: Ecr): Promise<'on' | 'off' | 'unknown'> {
  try {
    const { value } = await ecr.call('GetAccountSetting', (api, options) =>
      api.getAccountSetting({ name: 'BLOB_MOUNTING' }, options),
    )
    return value === 'ENABLED' ? 'on' : 'off'
  } catch (error) {
    if (error instanceof BundleError && error.kind !== 'cancelled') return 'unknown'
    throw error
  }
}
