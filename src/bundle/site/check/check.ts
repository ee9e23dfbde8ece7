// A site after the import: what its nodes can pull, what its cluster runs, what its registry no longer needs.
import { BundleError, messageOf } from '../../../lib/errors.ts'
import { createOnce, type Once } from '../../../lib/once.ts'
import { createPool } from '../../../lib/pool.ts'
import type { Descriptor } from '../../../oci/descriptor.ts'
import type { Digest } from '../../../oci/digest.ts'
import { parseManifest } from '../../../oci/manifest.ts'
import { isIndex } from '../../../oci/media-types.ts'
import { matchesPlatform, parsePlatform } from '../../../oci/platform.ts'
import { parseReference, type Reference } from '../../../oci/reference.ts'
import { platformsIn } from '../../../oci/select.ts'
import type { RegistryClient } from '../../../registry/client.ts'
import { openRepository } from '../../../registry/repository.ts'
import type { KubeObject } from '../../spec/lists/objects/object.ts'
import type { KnownBundle } from './known.ts'
import { groupsOf, type Group } from './groups.ts'
import { containerStates, nodePlatform } from './pods.ts'
import { explainPull } from './pull-failures.ts'

/**
 * `ok`: in the private registry, or in one that the nodes reach. `public`: runs, but no new node could pull it. The
 * others will not start.
 */
export type NodeVerdict =
  | 'ok'
  | 'public'
  | 'not-bundled'
  | 'not-imported'
  | 'other-digest'
  | 'no-platform'
  | 'pull-failed'
  | 'invalid'

/** One image of one namespace. */
export interface CheckedImage {
  readonly namespace: string
  /** As the objects name it. */
  readonly image: string
  /** `Deployment web`, and others that name it. */
  readonly objects: readonly string[]
  readonly verdict: NodeVerdict
  /** Why it will not start, and what to do; absent when all checks passed. */
  readonly cause?: string
  readonly next?: string
}

export interface ClusterCheck {
  readonly images: readonly CheckedImage[]
  readonly pods: { readonly total: number; readonly running: number; readonly pullFailures: number }
  /** Of the nodes. */
  readonly platforms: readonly string[]
}

export interface NodeCheckOptions {
  readonly client: RegistryClient
  readonly registry: string
  /** Other registries that the nodes reach. */
  readonly reachable: readonly string[]
  readonly bundles: readonly KnownBundle[]
  readonly concurrency: number
  readonly signal: AbortSignal
}

/** How the advice begins for an image that is in no bundle. */
export const ADD = 'add it to the list'

/** Judges every image that the objects of a cluster name. Reads the registry, writes nothing. */
export async function checkCluster(
  objects: readonly KubeObject[],
  options: NodeCheckOptions,
): Promise<ClusterCheck> {
  const platforms = [
    ...new Set(objects.filter(({ kind }) => kind === 'Node').flatMap((node) => nodePlatform(node) ?? [])),
  ].toSorted()
  const groups = groupsOf(objects)
  const heads = createOnce<Descriptor | undefined>()
  const pool = createPool(options.concurrency)
  const images = await Promise.all(
    groups.map((group) =>
      pool.run(async (): Promise<CheckedImage> => {
        options.signal.throwIfAborted()
        const judged = await judge(group, platforms, heads, options)
        return {
          namespace: group.namespace,
          image: group.image,
          objects: [...group.owners].toSorted(),
          ...judged,
        }
      }),
    ),
  )
  return { images, pods: countPods(objects), platforms }
}

// --- internal ---

function countPods(objects: readonly KubeObject[]): ClusterCheck['pods'] {
  const pods = objects.filter(({ kind }) => kind === 'Pod')
  const phaseOf = ({ object }: KubeObject): unknown =>
    typeof object['status'] === 'object' && object['status'] !== null && 'phase' in object['status']
      ? object['status'].phase
      : undefined
  return {
    total: pods.length,
    running: pods.filter((pod) => phaseOf(pod) === 'Running' || phaseOf(pod) === 'Succeeded').length,
    pullFailures: pods.filter((pod) =>
      containerStates(pod).some(({ pullFailure }) => pullFailure !== undefined),
    ).length,
  }
}

type Judged = Pick<CheckedImage, 'verdict' | 'cause' | 'next'>

async function judge(
  group: Group,
  platforms: readonly string[],
  heads: Once<Descriptor | undefined>,
  options: NodeCheckOptions,
): Promise<Judged> {
  const reference = tryParse(group.image)
  if (reference === undefined) return { verdict: 'invalid', ...explainPull('invalid reference format') }
  if (reference.registry !== options.registry) return judgeElsewhere(group, reference, options)
  const version = reference.digest ?? reference.tag ?? 'latest'
  const from = openRepository(options.client, reference.registry, reference.repository)
  const head = await heads(`${reference.repository} ${version}`, () => from.head(version))
  const known = bundledDigest(reference, options.bundles)
  if (head === undefined) {
    if (known !== undefined) {
      return {
        verdict: 'not-imported',
        cause: 'the bundle has it, the registry does not',
        next: `ma-bundle import <bundle> --registry ${options.registry}`,
      }
    }
    return {
      verdict: 'not-bundled',
      cause: 'it is not in the registry' + (options.bundles.length === 0 ? '' : ', nor in the bundle'),
      next: `${ADD}, export and import again; --write-spec writes such a list`,
    }
  }
  if (known !== undefined && known !== head.digest && reference.digest === undefined) {
    return {
      verdict: 'other-digest',
      cause: `the registry has ${head.digest} under this tag, the bundle ${known}`,
      next: 'import the bundle that was approved, or check with the one that was imported',
    }
  }
  const lacking = await lackingPlatforms(from, head, platforms)
  if (lacking.length > 0 && !group.started) {
    return {
      verdict: 'no-platform',
      cause: `it has nothing for ${lacking.join(', ')}, which nodes of this cluster are`,
      next: `export it again with --platform ${lacking.join(' --platform ')}, or keep its pods off such nodes`,
    }
  }
  if (group.pullFailure !== undefined) return { verdict: 'pull-failed', ...explainPull(group.pullFailure) }
  return { verdict: 'ok' }
}

/** A host that is not the private registry: one of AWS's own for add-ons, one that was allowed, or the internet. */
function judgeElsewhere(
  group: Group,
  reference: Reference,
  { reachable, bundles, registry }: NodeCheckOptions,
): Judged {
  if (reachable.includes(reference.registry) || AWS_OWN.test(reference.registry)) {
    return group.pullFailure === undefined
      ? { verdict: 'ok' }
      : { verdict: 'pull-failed', ...explainPull(group.pullFailure) }
  }
  const verdict = group.started && group.pullFailure === undefined ? 'public' : 'pull-failed'
  const cause =
    `it points to ${reference.registry}, not to ${registry}` +
    (verdict === 'public' ? '; it runs here, but a new node could not pull it' : '')
  for (const bundle of bundles) {
    const image = bundle.images.find(reference)
    if (image === undefined) continue
    const value = bundle.valueFor(image.name)
    const next =
      value === undefined
        ? 'no value of its chart reaches it: install with the post-renderer (ma-bundle post-render <bundle>)'
        : `${value.path} of chart ${value.chart} sets it: helm upgrade with the values that the import wrote`
    return { verdict, cause, next }
  }
  return {
    verdict: verdict === 'public' ? 'public' : 'not-bundled',
    cause,
    next: `${ADD}, export and import again; --write-spec writes such a list`,
  }
}

/** Accounts of AWS that serve EKS's add-ons from every Region: https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html */
const AWS_OWN =
  /^\d{12}\.dkr[.-]ecr(?:-fips)?\.[a-z0-9-]+\.(?:amazonaws\.com(?:\.cn)?|on\.aws|amazonaws\.eu)$/

const bundledDigest = (
  { repository, tag }: Reference,
  bundles: readonly KnownBundle[],
): Digest | undefined => {
  for (const { digestAt } of bundles) {
    const found = digestAt(repository, tag ?? 'latest')
    if (found !== undefined) return found
  }
  return undefined
}

async function lackingPlatforms(
  from: ReturnType<typeof openRepository>,
  head: Descriptor,
  platforms: readonly string[],
): Promise<readonly string[]> {
  if (platforms.length === 0 || !isIndex(head.mediaType)) return []
  const offered = platformsIn(parseManifest(await from.resolve(head.digest)).manifests)
  if (offered.length === 0) return []
  return platforms.filter((name) => !offered.some((one) => matchesPlatform(parsePlatform(name), one)))
}

function tryParse(text: string): Reference | undefined {
  try {
    return parseReference(text)
  } catch (error) {
    if (error instanceof BundleError) return undefined
    throw new Error(messageOf(error), { cause: error })
  }
}
