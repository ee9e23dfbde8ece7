import { BundleError } from '../../lib/errors.ts'
import { listed } from '../../lib/format.ts'
import { createPool } from '../../lib/pool.ts'
import type { RawManifest } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import { walk } from '../../oci/graph.ts'
import { parseIndex } from '../../oci/manifest.ts'
import { isIndex, isManifest } from '../../oci/media-types.ts'
import type { MemorySource } from '../../oci/memory.ts'
import { formatPlatform, matchesPlatform, type Platform } from '../../oci/platform.ts'
import { isAttestation, lacks, platformsIn, selectPlatforms, type Selection } from '../../oci/select.ts'
import { isGone } from '../../registry/error.ts'
import type { Network } from '../run/network.ts'

/** Which platforms an image is wanted for. */
export interface Wanted {
  readonly platforms: readonly Platform[] | 'all'
  /** The user (or the spec, for this image) named the platforms: each must be there. */
  readonly explicit: boolean
  /** Missing platforms are warned about, not refused. */
  readonly allowMissing: boolean
  /** Leave out what BuildKit attests. */
  readonly dropAttestations: boolean
}

export interface ChooseOptions {
  readonly session: Network
  readonly where: string
  /** The reference has a digest, so the index has to stay as it is. */
  readonly isPinned: boolean
  /** Whether a blob is in any place: entries of unknown types may be blobs. */
  readonly hasBlob: (blob: Descriptor) => Promise<boolean>
}

/**
 * The index with what is wanted of it and still there. Clean-up jobs delete what has no tag, and the first to go are
 * the attestations, which no runtime asks for: they are left out with a warning. A platform that is lost counts as one
 * the image does not come for, and entries that nobody wants never refuse the rest.
 * @throws for an index that lists nothing, and for what is wanted and lost
 */
export async function chooseChildren(
  raw: RawManifest,
  source: MemorySource,
  wanted: Wanted,
  options: ChooseOptions,
): Promise<RawManifest> {
  const { where, isPinned } = options
  const { children, odd } = parseIndex(raw, where)
  if (children.length + odd.length === 0) {
    throw new BundleError('its index lists nothing, so there is nothing to run', {
      kind: 'failed',
      where,
      next: 'take another tag, or ask who publishes the image to push it again',
    })
  }
  if (isPinned) {
    await refuseHoles(raw, source, wanted, options)
    return raw
  }
  const below = await nestedPlatforms(children, source, options)
  const select = (lost: ReadonlySet<Digest>): Selection =>
    selectPlatforms(raw, wanted.platforms, where, {
      below: below.filter(({ of }) => !lost.has(of)).map(({ platform }) => platform),
      lost,
      dropAttestations: wanted.dropAttestations,
    })
  const lost = await lostOf(select(new Set()).kept, source, options)
  const selection = select(new Set(lost.map(({ digest }) => digest)))
  tolerateMissing(selection, lost, raw, wanted, options)
  return selection.index
}

// --- internal ---

/** Entries of one index that are looked for at the same time. */
const AT_ONCE = 8

const LOST =
  'the index is right and the registry lost it: take it from a mirror (--mirror), have it pushed again, go without it (--allow-missing-platform), or ask for other platforms (--platform)'

const LOST_PINNED =
  'the index is right and the registry lost it: take it from a mirror (--mirror), or name the image by its tag instead of its digest, which lets an export leave out what is lost'

/** An index that is named by digest has to be whole: without a part, it is another one. */
async function refuseHoles(
  raw: RawManifest,
  source: MemorySource,
  { dropAttestations }: Wanted,
  options: ChooseOptions,
): Promise<void> {
  const { children, odd } = parseIndex(raw, options.where)
  const [first] = odd
  if (first !== undefined) {
    throw new BundleError(`its index lists ${first.digest}, which cannot be carried: ${first.why}`, {
      kind: 'failed',
      where: options.where,
      next: 'name the image by its tag instead of its digest, which lets an export leave that entry out',
    })
  }
  const lost = await lostOf(children, source, options)
  if (lost.length > 0) {
    throw new BundleError(`the registry no longer has ${describe(lost)}, which its index lists`, {
      kind: 'failed',
      where: options.where,
      next: LOST_PINNED,
    })
  }
  if (dropAttestations && children.some(isAttestation)) {
    warn(options, 'its attestations stay: it is named by digest, and without them it would have another', {
      next: 'name the image by its tag to leave them out',
    })
  }
}

function tolerateMissing(
  { kept, missing, offered }: Selection,
  lost: readonly Descriptor[],
  raw: RawManifest,
  wanted: Wanted,
  options: ChooseOptions,
): void {
  const { where } = options
  const { odd } = parseIndex(raw, where)
  const { platforms } = wanted
  const isWanted = (platform: Platform): boolean =>
    platforms === 'all' || platforms.some((one) => matchesPlatform(one, platform))
  const images = lost.filter((child) => !isAttestation(child) && child.platform !== undefined)
  const others = lost.filter((child) => !images.includes(child))
  const strange = odd.filter(({ platform }) => platform === undefined || isWanted(platform))
  for (const { digest, why } of strange) warn(options, `left out of its index: ${digest}: ${why}`)
  if (others.length > 0) {
    warn(
      options,
      `left out of its index, for the registry no longer has ${others.length === 1 ? 'it' : 'them'}: ${describe(others)}`,
      { next: 'images run without attestations; to have them, take the image from a mirror (--mirror)' },
    )
  }
  const gone = platforms === 'all' ? platformsIn(images) : missing
  const ofLost = images.filter(({ platform }) =>
    gone.some((one) => platform && matchesPlatform(one, platform)),
  )
  const problem =
    ofLost.length > 0
      ? new BundleError(
          `no image for ${gone.map(formatPlatform).join(', ')}: its index lists ${describe(ofLost)}, which the registry no longer has`,
          { kind: 'failed', where, next: LOST },
        )
      : lacks(missing, offered, where)
  const isNothing = kept.length === 0 || (gone.length > 0 && offered.length === 0)
  const isNone = platforms !== 'all' && missing.length === platforms.length && missing.length > 0
  if (isNothing && gone.length === 0) {
    throw new BundleError('nothing of its index can be carried', {
      kind: 'failed',
      where,
      next: 'take another tag, or ask who publishes the image to push it again with a current tool',
    })
  }
  if (gone.length === 0) return
  if (isNothing || isNone || !wanted.allowMissing) throw problem
  warn(options, problem.message)
}

const warn = (
  { session, where }: ChooseOptions,
  message: string,
  more: { readonly next?: string } = {},
): void => session.emit({ type: 'warning', message, where, ...more })

const describe = (lost: readonly Descriptor[]): string =>
  listed(
    lost.map((child) => {
      const { digest, platform, annotations } = child
      const about = annotations?.['vnd.docker.reference.digest']
      if (isAttestation(child)) return `${digest} (attestation${about === undefined ? '' : ` of ${about}`})`
      return platform === undefined ? digest : `${digest} (${formatPlatform(platform)})`
    }),
  )

/** Which of the entries no place has any more, or has not whole. What is found stays in memory. */
async function lostOf(
  entries: readonly Descriptor[],
  source: MemorySource,
  options: ChooseOptions,
): Promise<readonly Descriptor[]> {
  const pool = createPool(AT_ONCE)
  const found = await Promise.all(
    entries.map((entry) => pool.run(async () => ((await isThere(entry, source, options)) ? [] : [entry]))),
  )
  return found.flat()
}

async function isThere(entry: Descriptor, source: MemorySource, options: ChooseOptions): Promise<boolean> {
  if (!isManifest(entry.mediaType)) return options.hasBlob(entry)
  try {
    const raw = await source.resolve(entry.digest)
    source.addManifest(raw)
    if (!isIndex(entry.mediaType)) return true
    for (const { raw: below, descriptor } of (await walk(source, raw, options.where)).nodes)
      source.addManifest({ raw: below, descriptor })
    return true
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

/** What indexes within an index offer that do not name their platforms; such an index is kept whole. */
async function nestedPlatforms(
  children: readonly Descriptor[],
  source: MemorySource,
  options: ChooseOptions,
): Promise<readonly { readonly of: Digest; readonly platform: Platform }[]> {
  const nested = children.filter(({ platform, mediaType }) => platform === undefined && isIndex(mediaType))
  const lost = new Set(await lostOf(nested, source, options))
  const graphs = await Promise.all(
    nested
      .filter((child) => !lost.has(child))
      .map(async ({ digest }) => {
        const { nodes } = await walk(source, await source.resolve(digest), options.where)
        return nodes.flatMap(({ manifest }) =>
          platformsIn(manifest.manifests).map((platform) => ({ of: digest, platform })),
        )
      }),
  )
  return graphs.flat()
}
