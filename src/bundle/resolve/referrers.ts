import { BundleError } from '../../lib/errors.ts'
import { plural } from '../../lib/format.ts'
import { getFollowing } from '../../lib/http/get.ts'
import { createPool } from '../../lib/pool.ts'
import { redactUrl } from '../../lib/url.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { hexOf, type Digest } from '../../oci/digest.ts'
import { walk } from '../../oci/graph.ts'
import { isIndex } from '../../oci/media-types.ts'
import { parseReference, repositoryName, type Reference } from '../../oci/reference.ts'
import { candidates, type Mirrors } from '../../registry/mirror.ts'
import { openRepository, type Repository } from '../../registry/repository.ts'
import type { ChartRoot, ImageRoot } from '../format/root.ts'
import type { Network } from '../run/network.ts'
import type { Mirror, MirrorLog } from './mirrored.ts'

/** Where cosign keeps what it has to say about a digest: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md */
const COSIGN_SUFFIXES = ['sig', 'att', 'sbom'] as const

/** Signatures of attestations are as deep as it goes in practice. */
const MAX_DEPTH = 3

export interface ReferrersOptions {
  readonly session: Network
  readonly mirrors: Mirrors
  readonly log: MirrorLog
}

/**
 * Everything that refers to an image or a chart: cosign's tags and OCI 1.1 referrers, of the index and of each image in
 * it, and what refers to those. Each becomes a root of its own in the same repository. Mirrors seldom hold signatures,
 * so where one has none, the next and the origin are asked.
 * https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
 */
export async function resolveReferrers(
  root: ImageRoot | ChartRoot,
  options: ReferrersOptions,
): Promise<readonly ImageRoot[]> {
  const { session } = options
  const named = namedRepository(root)
  if (named === undefined) {
    await warnAboutProvenance(root, session)
    return []
  }
  const where: Looking = {
    ...options,
    named: repositoryName(named),
    chart: root.kind === 'chart' ? root.chart : undefined,
    places: candidates(named, options.mirrors).map((place) => ({
      repository: openRepository(session.client, place.registry, place.repository),
      ...(repositoryName(place) === repositoryName(named)
        ? {}
        : { mirror: { host: place.registry, place: repositoryName(place) } }),
    })),
  }
  const found = new Map<string, ImageRoot>()
  const seen = new Set<Digest>()
  const pool = createPool(4)

  const visit = async (subject: Digest, depth: number): Promise<void> => {
    if (seen.has(subject) || depth > MAX_DEPTH) return
    seen.add(subject)
    session.signal.throwIfAborted()
    const roots = await pool.run(() => referrersOf(subject, where))
    for (const one of roots) found.set(one.name, one)
    await Promise.all(roots.map((one) => visit(one.graph.root.descriptor.digest, depth + 1)))
  }
  const subjects = root.graph.nodes.map(({ descriptor }) => descriptor.digest)
  await Promise.all(subjects.map((subject) => visit(subject, 1)))
  if (root.kind === 'image' && root.original !== undefined)
    await warnAboutOriginal(root.name, root.original, where)
  return [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

// --- internal ---

interface Looking extends ReferrersOptions {
  /** The repository as the bundle calls it. */
  readonly named: string
  readonly chart: string | undefined
  /** In order, the origin last. */
  readonly places: readonly { readonly repository: Repository; readonly mirror?: Mirror }[]
}

function namedRepository(root: ImageRoot | ChartRoot): Reference | undefined {
  if (root.kind === 'image') return parseReference(root.name)
  return root.origin === undefined ? undefined : parseReference(root.origin)
}

async function referrersOf(subject: Digest, where: Looking): Promise<readonly ImageRoot[]> {
  let isAnswered = false
  for (const { repository, mirror } of where.places) {
    if (mirror !== undefined && where.log.isDown(mirror.host)) continue
    try {
      const roots = [
        ...(await cosignRoots(repository, subject, where)),
        ...(await referrerRoots(repository, subject, where)),
      ]
      if (roots.length > 0) return roots
      isAnswered = true
    } catch (error) {
      if (!(error instanceof BundleError) || error.kind === 'cancelled') throw error
      if (mirror !== undefined) where.log.failed(mirror, `signatures of ${where.named}`, error)
      // Where only the mirrors are reached, what they answer is all there is to know.
      else if (isAnswered) where.log.unasked(where.named, error)
      else throw error
    }
  }
  return []
}

async function cosignRoots(
  repository: Repository,
  subject: Digest,
  where: Looking,
): Promise<readonly ImageRoot[]> {
  const tags = COSIGN_SUFFIXES.map((suffix) => `sha256-${hexOf(subject)}.${suffix}`)
  const roots = await Promise.all(
    tags.map(async (tag): Promise<readonly ImageRoot[]> => {
      if ((await repository.head(tag)) === undefined) return []
      return [await rootAt(repository, `${where.named}:${tag}`, tag, where)]
    }),
  )
  return roots.flat()
}

async function referrerRoots(
  repository: Repository,
  subject: Digest,
  where: Looking,
): Promise<readonly ImageRoot[]> {
  const list = await repository.referrers(subject)
  return Promise.all(
    list.map(({ digest }: Descriptor) => rootAt(repository, `${where.named}@${digest}`, digest, where)),
  )
}

async function rootAt(
  repository: Repository,
  name: string,
  reference: string,
  { chart }: Looking,
): Promise<ImageRoot> {
  const graph = await walk(repository, await repository.resolve(reference))
  return { kind: 'image', name, source: repository, graph, ...(chart === undefined ? {} : { chart }) }
}

/** A chart of a web server is made an artifact here, so nobody has signed what it becomes; its tgz may be signed. */
async function warnAboutProvenance(root: ImageRoot | ChartRoot, session: Network): Promise<void> {
  if (root.kind === 'image' || root.provenance === undefined) return
  if (!(await isServed(root.provenance, session))) return
  session.emit({
    type: 'warning',
    message: `its provenance file is left out: it signs the chart's tgz, not what a registry keeps`,
    where: `chart ${root.name}`,
    next: `to carry it, list it among the files of the spec: ${redactUrl(root.provenance)}`,
  })
}

async function isServed(url: string, { http, signal }: Network): Promise<boolean> {
  try {
    await (await getFollowing(http, url, { signal })).discard()
    return true
  } catch (error) {
    if (error instanceof BundleError && error.kind !== 'cancelled') return false
    throw error
  }
}

/** A signature is over one digest: that of a whole index says nothing of the smaller one in the bundle. */
async function warnAboutOriginal(name: string, original: Descriptor, where: Looking): Promise<void> {
  if (!isIndex(original.mediaType)) return
  const left = await referrersOf(original.digest, where)
  if (left.length === 0) return
  where.session.emit({
    type: 'warning',
    message: `${plural(left.length, 'signature or attestation', 'signatures or attestations')} of the whole index are left out: the bundle holds fewer entries of it, so it has another digest`,
    where: `source ${name}`,
    next: 'take --platform all to keep the index, and with it its signatures, byte for byte',
  })
}
