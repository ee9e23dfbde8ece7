import { isDigest } from '../../../../src/oci/digest.ts'
import { EcrError } from '../errors.ts'
import { header, readAll, type Answer, type Call } from '../http.ts'
import { checkTag, findManifest, putManifest } from '../manifests.ts'
import { translated } from './translate.ts'
import type { Registry, Repository } from '../registry.ts'

/** By digest the stored bytes, whatever is accepted; by tag a translation where the stored type is not accepted. */
export function getManifest(call: Call, repository: Repository, reference: string): Answer {
  const stored = findManifest(repository, reference)
  const accepted = (header(call, 'accept') ?? '').split(',').map((one) => one.split(';', 1)[0]?.trim())
  const answer = isDigest(reference) ? stored : translated(stored, (type) => accepted.includes(type))
  if (answer === undefined)
    throw new EcrError(
      'ImageNotFoundException',
      `Requested image not found: it is stored as ${stored.mediaType}, which the Accept header does not list`,
    )
  return {
    status: 200,
    headers: { 'content-type': answer.mediaType, 'docker-content-digest': answer.digest },
    body: answer.raw,
  }
}

export async function putManifestAnswer(
  registry: Registry,
  call: Call,
  repository: Repository,
  reference: string,
): Promise<Answer> {
  const byDigest = reference.includes(':')
  if (!byDigest) checkTag(reference)
  const raw = await read(call)
  const stored = putManifest(registry, repository, {
    raw,
    mediaType: header(call, 'content-type'),
    door: 'oci',
    loseTag: call.entry.fault === 'lose-tag',
    ...(byDigest ? { digest: reference } : { tag: reference }),
  })
  return {
    status: 201,
    headers: {
      location: `${registry.scheme}://${call.url.host}/v2/${repository.name}/manifests/${stored.digest}`,
      'docker-content-digest': stored.digest,
      ...(stored.subject === undefined ? {} : { 'oci-subject': stored.subject }),
    },
  }
}

// --- internal ---

const LIMIT = 4_194_304

async function read(call: Call): Promise<Uint8Array> {
  try {
    return await readAll(call, LIMIT)
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new EcrError(
      'InvalidParameterException',
      `Invalid parameter at 'imageManifest' failed to satisfy constraint: 'Member must have length less than or equal to ${LIMIT}'`,
    )
  }
}
