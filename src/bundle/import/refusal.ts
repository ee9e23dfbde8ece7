import { adviceForEcr } from '../../aws/ecr/refusals.ts'
import { lintForEcr } from '../../aws/ecr/manifest-rules.ts'
import { BundleError } from '../../lib/errors.ts'
import type { RawManifest } from '../../oci/content.ts'
import { RegistryError } from '../../registry/error.ts'
import type { ImportRepository } from '../run/target.ts'

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

/** A repository of ECR whose refusals say what blocks them, as IAM and the quotas of AWS word it. */
export function advised(repository: ImportRepository, region: string): ImportRepository {
  const asking = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call()
    } catch (error) {
      const advice = error instanceof RegistryError ? adviceForEcr(error.words, region) : undefined
      if (advice === undefined || !(error instanceof RegistryError)) throw error
      throw new RegistryError(error.message, error.facts, {
        ...advice,
        ...(error.where === undefined ? {} : { where: error.where }),
      })
    }
  }
  return {
    head: (...args) => asking(() => repository.head(...args)),
    exists: (...args) => asking(() => repository.exists(...args)),
    resolve: (...args) => asking(() => repository.resolve(...args)),
    fetch: (...args) => asking(() => repository.fetch(...args)),
    referrers: (...args) => asking(() => repository.referrers(...args)),
    present: (...args) => asking(() => repository.present(...args)),
    pushBlob: (...args) => asking(() => repository.pushBlob(...args)),
    replaceBlob: (...args) => asking(() => repository.replaceBlob(...args)),
    pushManifest: (...args) => asking(() => repository.pushManifest(...args)),
  }
}
