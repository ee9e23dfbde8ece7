import { createPool } from '../../lib/pool.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { hexOf, type Digest } from '../../oci/digest.ts'
import { walk } from '../../oci/graph.ts'
import { isIndex } from '../../oci/media-types.ts'
import { parseReference, repositoryName, type Reference } from '../../oci/reference.ts'
import { openRepository, type Repository } from '../../registry/repository.ts'
import type { ImageRoot } from '../format/root.ts'
import type { Session } from '../run/network.ts'

/** Where cosign keeps what it has to say about a digest: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md */
const COSIGN_SUFFIXES = ['sig', 'att', 'sbom'] as const

/** Signatures of attestations are as deep as it goes in practice. */
const MAX_DEPTH = 3

/**
 * Everything that refers to an image: cosign's tags and OCI 1.1 referrers, of the index and of each image in it, and
 * what refers to those. Each becomes a root of its own in the same repository.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
 */
export async function resolveReferrers(root: ImageRoot, session: Session): Promise<readonly ImageRoot[]> {
  const served = parseReference(
    root.from === undefined ? root.name : `${root.from}${suffixOf(parseReference(root.name))}`,
  )
  const repository = openRepository(session.client, served.registry, served.repository)
  const named = repositoryName(parseReference(root.name))
  const found = new Map<string, ImageRoot>()
  const seen = new Set<Digest>()
  const pool = createPool(4)

  const visit = async (subject: Digest, depth: number): Promise<void> => {
    if (seen.has(subject) || depth > MAX_DEPTH) return
    seen.add(subject)
    session.signal.throwIfAborted()
    const roots = await pool.run(async () => [
      ...(await cosignRoots(repository, named, subject)),
      ...(await referrerRoots(repository, named, subject)),
    ])
    for (const one of roots) found.set(one.name, one)
    await Promise.all(roots.map((one) => visit(one.graph.root.descriptor.digest, depth + 1)))
  }
  const subjects = root.graph.nodes.map(({ descriptor }) => descriptor.digest)
  await Promise.all(subjects.map((subject) => visit(subject, 1)))
  if (root.original !== undefined) await warnAboutOriginal(root, root.original, repository, named, session)
  return [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

// --- internal ---

const suffixOf = ({ tag, digest }: Reference): string =>
  digest === undefined ? `:${tag ?? 'latest'}` : `@${digest}`

async function cosignRoots(
  repository: Repository,
  named: string,
  subject: Digest,
): Promise<readonly ImageRoot[]> {
  const tags = COSIGN_SUFFIXES.map((suffix) => `sha256-${hexOf(subject)}.${suffix}`)
  const roots = await Promise.all(
    tags.map(async (tag): Promise<readonly ImageRoot[]> => {
      if ((await repository.head(tag)) === undefined) return []
      const raw = await repository.resolve(tag)
      return [
        { kind: 'image', name: `${named}:${tag}`, source: repository, graph: await walk(repository, raw) },
      ]
    }),
  )
  return roots.flat()
}

async function referrerRoots(
  repository: Repository,
  named: string,
  subject: Digest,
): Promise<readonly ImageRoot[]> {
  const list = await repository.referrers(subject)
  return Promise.all(
    list.map(async ({ digest }: Descriptor): Promise<ImageRoot> => {
      const raw = await repository.resolve(digest)
      return {
        kind: 'image',
        name: `${named}@${digest}`,
        source: repository,
        graph: await walk(repository, raw),
      }
    }),
  )
}

/** A signature is over one digest: that of a whole index says nothing of the smaller one in the bundle. */
async function warnAboutOriginal(
  root: ImageRoot,
  original: Descriptor,
  repository: Repository,
  named: string,
  session: Session,
): Promise<void> {
  if (!isIndex(original.mediaType)) return
  const left = [
    ...(await cosignRoots(repository, named, original.digest)),
    ...(await referrerRoots(repository, named, original.digest)),
  ]
  if (left.length === 0) return
  session.emit({
    type: 'warning',
    message: `${left.length} signatures or attestations of the whole index are left out: the bundle holds fewer platforms, so it has another digest`,
    where: `source ${root.name}`,
    next: 'take --platform all to keep the index, and with it its signatures, byte for byte',
  })
}
