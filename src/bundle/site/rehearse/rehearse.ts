import { collect } from '../../../lib/bytes/bytes.ts'
import { BundleError, type ErrorKind } from '../../../lib/errors.ts'
import { createOnce } from '../../../lib/once.ts'
import { createPool } from '../../../lib/pool.ts'
import type { Descriptor } from '../../../oci/descriptor.ts'
import { isObject, parseManifest, parseObject } from '../../../oci/manifest.ts'
import { isIndex } from '../../../oci/media-types.ts'
import { formatPlatform, matchesPlatform, type Platform } from '../../../oci/platform.ts'
import { repositoryName, type Reference } from '../../../oci/reference.ts'
import { platformsIn } from '../../../oci/select.ts'
import { verified } from '../../../oci/verify.ts'
import type { RegistryClient } from '../../../registry/client.ts'
import { openRepository, type Repository } from '../../../registry/repository.ts'
import { probeBlob } from '../../../registry/requests/probe.ts'
import { causeOf, type Cause, type PullPlace } from './cause.ts'

/** One reference of the install, pulled for one platform. */
export interface Rehearsed {
  /** As the pod names it. */
  readonly reference: string
  readonly platform: string
  /** Why the pull would fail; undefined when it would not. */
  readonly cause?: Cause
}

export interface Rehearsal {
  readonly pulls: readonly Rehearsed[]
  /** Platforms that were tried. */
  readonly platforms: readonly string[]
  /** To registries, redirects not counted. */
  readonly requests: number
}

export interface RehearseOptions {
  readonly client: RegistryClient
  /** The private registry. */
  readonly registry: string
  /** Set when the private registry is ECR. */
  readonly ecr?: PullPlace['ecr']
  /** Other registries that the nodes reach as well. */
  readonly reachable: readonly string[]
  /** Those of the nodes; without them, each image is tried for all platforms that it has. */
  readonly platforms?: readonly Platform[]
  readonly concurrency: number
  readonly signal: AbortSignal
  /** Called after each pull. */
  readonly onPull?: (pull: Rehearsed) => void
}

/**
 * Pulls every reference as a kubelet's containerd does, and stores nothing: manifest by tag, the child for the platform,
 * its config, then the first and the last byte of every layer, through the redirect. A blob that several images share
 * in a repository is asked for once.
 * https://github.com/containerd/containerd/blob/main/core/remotes/docker/resolver.go
 */
export async function rehearse(
  references: readonly Reference[],
  { client, registry, ecr, reachable, platforms, concurrency, signal, onPull }: RehearseOptions,
): Promise<Rehearsal> {
  const pool = createPool(concurrency)
  const probes = createOnce<void>()
  let requests = 0
  const pulls: Rehearsed[] = []
  const done = (pull: Rehearsed): void => {
    pulls.push(pull)
    onPull?.(pull)
  }

  const pullOne = async (reference: Reference): Promise<void> => {
    const text = textOf(reference)
    const wanted = (platforms ?? []).map(formatPlatform)
    const failAll = (cause: Cause, names: readonly string[] = wanted.length === 0 ? [ANY] : wanted): void => {
      for (const platform of names) done({ reference: text, platform, cause })
    }
    if (reference.registry !== registry && !reachable.includes(reference.registry))
      return failAll(elsewhere(reference.registry, registry))
    const place: PullPlace = {
      registry: reference.registry,
      repository: reference.repository,
      ...(ecr === undefined || reference.registry !== registry ? {} : { ecr }),
    }
    const from = openRepository(client, place.registry, place.repository)
    const attempt = async (names: readonly string[] | undefined, task: () => Promise<void>) => {
      try {
        signal.throwIfAborted()
        await task()
        return true
      } catch (error) {
        if (signal.aborted || !(error instanceof BundleError)) throw error
        failAll(causeOf(error, place), names)
        return false
      }
    }
    let children: readonly { readonly platform: string; readonly child?: Descriptor }[] = []
    const resolved = await attempt(undefined, async () => {
      requests += 2
      const tagOrDigest = reference.digest ?? reference.tag ?? 'latest'
      const head = await from.head(tagOrDigest)
      if (head === undefined) throw notThere(text)
      children = await childrenOf(from, head, platforms, text)
    })
    if (!resolved) return
    for (const { platform, child } of children) {
      if (child === undefined) {
        failAll({ what: `it has no image for ${platform}`, next: NEXT_PLATFORM, kind: 'failed' }, [platform])
        continue
      }
      const pulled = await attempt([platform], async () => {
        requests += 1
        const manifest = parseManifest(await from.resolve(child.digest), text)
        await checkConfig(from, manifest.config, platform, text)
        requests += manifest.config === undefined ? 0 : 1
        for (const layer of manifest.layers) {
          await probes(`${repositoryName(reference)} ${layer.digest}`, async () => {
            const asked = await probeBlob({ client, ...place }, layer)
            requests += asked
          })
        }
      })
      if (pulled) done({ reference: text, platform })
    }
  }

  await Promise.all(unique(references).map((reference) => pool.run(() => pullOne(reference))))
  const order = (one: Rehearsed): string => `${one.reference} ${one.platform}`
  return {
    pulls: pulls.toSorted((a, b) => (order(a) < order(b) ? -1 : 1)),
    platforms: [...new Set(pulls.map(({ platform }) => platform).filter((name) => name !== ANY))].toSorted(),
    requests,
  }
}

/** What kind of failure a rehearsal shows: that of its pulls when they are of one kind, `ok` when none would fail. */
export function rehearsalKind({ pulls }: Rehearsal): ErrorKind | 'ok' {
  const kinds = new Set(pulls.flatMap(({ cause }) => cause?.kind ?? []))
  const [only = 'ok' as const] = kinds
  return kinds.size > 1 ? 'failed' : only
}

/** `host/repository:tag@digest`, as a pod names an image. */
export const textOf = (reference: Reference): string =>
  `${reference.registry}/${reference.repository}` +
  (reference.tag === undefined && reference.digest === undefined ? ':latest' : '') +
  (reference.tag === undefined ? '' : `:${reference.tag}`) +
  (reference.digest === undefined ? '' : `@${reference.digest}`)

// --- internal ---

/** In place of a platform that was not learned. */
const ANY = 'any platform'
const NEXT_PLATFORM =
  'export it again with that platform (--platform), or keep its pods off such nodes with a node selector'

const unique = (references: readonly Reference[]): readonly Reference[] => [
  ...new Map(references.map((reference) => [textOf(reference), reference])).values(),
]

const elsewhere = (host: string, registry: string): Cause => ({
  kind: 'failed',
  what: `it points to ${host}, not to ${registry}`,
  next: 'bundle the image, and install with the values and the post-renderer that the import wrote; if the nodes do reach that registry, pass --allow-registry',
})

const notThere = (where: string): BundleError =>
  new BundleError('no such image in the registry', { kind: 'failed', where })

/** The manifest that each platform pulls. */
async function childrenOf(
  from: Repository,
  head: Descriptor,
  wanted: readonly Platform[] | undefined,
  where: string,
): Promise<readonly { readonly platform: string; readonly child?: Descriptor }[]> {
  if (!isIndex(head.mediaType)) {
    if (wanted !== undefined)
      return wanted.map((platform) => ({ platform: formatPlatform(platform), child: head }))
    return [{ platform: ANY, child: head }]
  }
  const { manifests } = parseManifest(await from.resolve(head.digest), where)
  const named = wanted ?? [
    ...new Map(platformsIn(manifests).map((one) => [formatPlatform(one), one])).values(),
  ]
  return named.map((platform) => {
    const child = manifests.find(
      (one) => one.platform !== undefined && matchesPlatform(platform, one.platform),
    )
    return { platform: formatPlatform(platform), ...(child === undefined ? {} : { child }) }
  })
}

/**
 * Reads the config whole, as every pull does. An image without an index is run whatever its platform is, and then ends
 * with "exec format error": https://github.com/containerd/containerd/blob/main/core/images/image.go
 */
async function checkConfig(
  from: Repository,
  config: Descriptor | undefined,
  platform: string,
  where: string,
): Promise<void> {
  if (config === undefined || config.size > CONFIG_LIMIT) return
  const json = parseObject(await collect(verified(await from.fetch(config), config, where)))
  if (!isObject(json) || platform === ANY) return
  const { os, architecture, variant } = json
  if (typeof os !== 'string' || typeof architecture !== 'string') return
  const offered = { os, architecture, ...(typeof variant === 'string' ? { variant } : {}) }
  const [wantedOs = '', wantedArchitecture = '', wantedVariant] = platform.split('/')
  const asked = {
    os: wantedOs,
    architecture: wantedArchitecture,
    ...(wantedVariant === undefined ? {} : { variant: wantedVariant }),
  }
  if (matchesPlatform(asked, offered)) return
  throw new BundleError(`it is an image for ${formatPlatform(offered)} and cannot run on ${platform}`, {
    kind: 'failed',
    where,
    next: NEXT_PLATFORM,
  })
}

const CONFIG_LIMIT = 8 * 1024 * 1024
