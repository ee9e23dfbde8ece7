import { transferred } from '../../lib/bytes/buffers.ts'
import type { Bytes } from '../../lib/bytes/bytes.ts'
import type { Emit } from '../../lib/events.ts'
import type { Once } from '../../lib/once.ts'
import type { Pool } from '../../lib/pool.ts'
import type { Source } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { blobsIn, type Graph, type GraphNode } from '../../oci/graph.ts'
import { verified } from '../../oci/verify.ts'
import type { BundleEvent } from '../run/events.ts'
import type { PushTarget } from '../run/target.ts'

export interface PushOptions {
  readonly pool: Pool
  /** Of the repository: roots that share it push a shared blob once. */
  readonly once: Once<void>
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
  /** As a person knows the root. */
  readonly name: string
  /** The repository was made just now: it holds nothing, so nothing is asked for. */
  readonly fresh: boolean
  /** Blobs that the repository is known to have already. */
  readonly known?: (digest: Digest) => boolean
  /** Blobs that the repository holds with wrong bytes. */
  readonly wrong?: ReadonlySet<Digest>
  /** The repository another root brings this blob to, once its manifest is there. */
  readonly home?: (digest: Digest) => Promise<string | undefined>
  /** Where the source has this blob, for errors; undefined when it is in one file like all others. */
  readonly where?: (digest: Digest) => string | undefined
}

/**
 * Pushes all below a root and tags it: blobs in parallel, then child manifests, then the root under each tag in
 * turn. The last tag is the commit record: when it is there, everything is.
 */
export async function pushGraph(
  graph: Graph,
  source: Source,
  target: PushTarget,
  tags: readonly string[],
  options: PushOptions,
): Promise<void> {
  const { fresh, wrong, known = () => false } = options
  const asked = blobsIn(graph).filter(({ digest }) => !known(digest))
  const present = fresh || asked.length === 0 ? new Set() : await target.present(asked)
  const pushes = blobsIn(graph).map((blob) =>
    options.once(blob.digest, () =>
      wrong?.has(blob.digest) !== true && (known(blob.digest) || present.has(blob.digest))
        ? leaveBlob(blob, options)
        : pushBlob(blob, source, target, options),
    ),
  )
  // All come to an end before one failure is reported, so that nothing continues behind the report.
  await Promise.allSettled(pushes)
  await Promise.all(pushes)
  options.signal.throwIfAborted()
  // Not looked for first: a manifest is as small as the question.
  const below = graph.nodes.filter(({ descriptor }) => descriptor.digest !== graph.root.descriptor.digest)
  const put = (node: GraphNode): Promise<void> => target.pushManifest(node, node.descriptor.digest)
  const images = below.filter(({ manifest }) => manifest.manifests.length === 0).map(put)
  await Promise.allSettled(images)
  await Promise.all(images)
  for (const node of below) {
    options.signal.throwIfAborted()
    if (node.manifest.manifests.length > 0) await put(node)
  }
  if (tags.length === 0) await target.pushManifest(graph.root, graph.root.descriptor.digest)
  for (const tag of tags) await target.pushManifest(graph.root, tag)
}

// --- internal ---

type Opener = (start?: number) => Promise<Bytes>

function leaveBlob({ digest, size }: Descriptor, { emit, name }: PushOptions): Promise<void> {
  emit({ type: 'transfer', id: digest, name, size })
  emit({ type: 'transferred', id: digest, outcome: 'exists', size })
  return Promise.resolve()
}

async function pushBlob(
  blob: Descriptor,
  source: Source,
  target: PushTarget,
  options: PushOptions,
): Promise<void> {
  const { pool, emit, signal, name } = options
  const where = options.where?.(blob.digest) ?? `bundle, for ${name}`
  const isWrong = options.wrong?.has(blob.digest) === true
  const from = isWrong ? undefined : await options.home?.(blob.digest)
  await pool.run(async (relieved) => {
    signal.throwIfAborted()
    const { digest, size } = blob
    emit({ type: 'transfer', id: digest, name, size })
    try {
      const open = async (start = 0): Promise<Bytes> => observed(blob, source, start, where, emit, relieved)
      const outcome = isWrong ? await replaced(target, blob, open) : await target.pushBlob(blob, open, from)
      transferred()
      emit({ type: 'transferred', id: digest, outcome, size })
    } catch (error) {
      emit({ type: 'transferred', id: digest, outcome: 'failed', size })
      throw error
    }
  }, blob.size)
}

async function replaced(target: PushTarget, blob: Descriptor, open: Opener): Promise<'copied'> {
  await target.replaceBlob(blob, open)
  return 'copied'
}

/** Content with its progress reported. From the middle on, it is for whoever uploads in parts to verify the whole. */
async function observed(
  blob: Descriptor,
  source: Source,
  start: number,
  where: string,
  emit: Emit<BundleEvent>,
  ended: () => void,
): Promise<Bytes> {
  const content = await source.fetch(blob, start)
  const told = async function* (): Bytes {
    let done = start
    for await (const chunk of content) {
      done += chunk.length
      emit({ type: 'progress', id: blob.digest, done })
      yield chunk
    }
    ended()
  }
  return start > 0 ? told() : verified(told(), blob, where)
}
