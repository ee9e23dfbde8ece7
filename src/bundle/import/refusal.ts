import { lintForEcr } from '../../aws/ecr/manifest-rules.ts'
import { BundleError } from '../../lib/errors.ts'
import type { RawManifest } from '../../oci/content.ts'
import { RegistryError } from '../../registry/error.ts'

/** What ECR answers to manifests it does not take: https://github.com/aws/containers-roadmap/issues/2306, …/876, …/1074 */
const REFUSED = [400, 405, 500]

/** ECR refuses some manifests in words that do not say why; the rules that an export warns of do. */
export async function explained({ raw, descriptor }: RawManifest, push: () => Promise<void>): Promise<void> {
  try {
    await push()
  } catch (error) {
    if (!(error instanceof RegistryError) || !REFUSED.includes(error.status)) throw error
    const [finding] = lintForEcr(raw, descriptor.mediaType)
    if (finding === undefined) throw error
    throw new BundleError(`${error.message}; ${finding.what}`, {
      kind: 'failed',
      next: `${finding.remedy}, then export and import again`,
      cause: error,
      ...(error.where === undefined ? {} : { where: error.where }),
    })
  }
}
