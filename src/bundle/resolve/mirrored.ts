import { collect, type Bytes } from '../../lib/bytes/bytes.ts'
import { BundleError, messageOf } from '../../lib/errors.ts'
import type { Emit } from '../../lib/events.ts'
import { listed } from '../../lib/format.ts'
import type { Source } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import { verified } from '../../oci/verify.ts'
import type { TransferSource } from '../format/root.ts'
import type { BundleEvent } from '../run/events.ts'

/** What a run learns of its mirrors. Each is spoken of once, however many things it did not serve. */
export interface MirrorLog {
  /** The mirror on `host` was not reached before: it would cost everything its retries. */
  isDown(host: string): boolean
  /** @param mirror the place on it, as the user wrote it; @param name what was wanted of it */
  failed(mirror: Mirror, name: string, error: unknown): void
  /** The origin of `name` could not be asked about signatures, and its mirrors have none. */
  unasked(name: string, error: unknown): void
  /** Reports what failed until now; from here on, the first failure of each mirror is reported at once. */
  report(): void
}

export interface Mirror {
  readonly host: string
  /** `mirror.example/team/app`, or a URL. */
  readonly place: string
}

export function createMirrorLog(emit: Emit<BundleEvent>): MirrorLog {
  const down = new Set<string>()
  const failures = new Map<string, { readonly names: Set<string>; readonly reason: string }>()
  const spoken = new Set<string>()
  const unasked = new Map<string, unknown>()
  let isLive = false
  const speak = (host: string): void => {
    const failure = failures.get(host)
    if (failure === undefined || spoken.has(host)) return
    spoken.add(host)
    emit({
      type: 'warning',
      message: `mirror ${host} did not serve ${listed([...failure.names].toSorted())}: ${failure.reason}`,
      where: `mirror ${host}`,
      next: 'the next mirror or the origin was used instead; check that the mirror has everything it should',
    })
  }
  return {
    isDown: (host) => down.has(host),
    failed({ host }, name, error) {
      if (error instanceof BundleError && error.kind === 'network') down.add(host)
      const before = failures.get(host) ?? { names: new Set<string>(), reason: messageOf(error) }
      before.names.add(name)
      failures.set(host, before)
      if (isLive) speak(host)
    },
    unasked: (name, error) => void unasked.set(name, error),
    report() {
      for (const host of failures.keys()) speak(host)
      const [first] = unasked.values()
      if (first !== undefined) {
        emit({
          type: 'warning',
          message: `whether there are signatures of ${listed([...unasked.keys()].toSorted())} is not known: the mirrors have none, and the origin was not reached: ${messageOf(first)}`,
          next: 'export again where the origin can be reached to include signatures',
        })
        unasked.clear()
      }
      isLive = true
    },
  }
}

/** One place that content can be had from; the origin has no mirror. */
export interface MirrorOrOrigin {
  readonly source: Source
  readonly mirror?: Mirror
}

/**
 * Asks each place in turn, the origin last. Whatever is not the content, be it a refusal, a web page or other bytes,
 * sends the request on to the next one. When none has it, the origin's failure is the one that counts.
 * @param name what is wanted, for people
 */
export async function firstOf<P extends Pick<MirrorOrOrigin, 'mirror'>, Result>(
  places: readonly P[],
  name: string,
  log: MirrorLog,
  attempt: (place: P) => Promise<Result>,
): Promise<Result> {
  let failure: BundleError | undefined
  let isOwn = false
  for (const place of places) {
    const { mirror } = place
    if (mirror !== undefined && places.length > 1 && log.isDown(mirror.host)) continue
    try {
      return await attempt(place)
    } catch (error) {
      if (!(error instanceof BundleError) || error.kind === 'cancelled') throw error
      if (!isOwn) failure = error
      if (mirror === undefined) isOwn = true
      else log.failed(mirror, name, error)
    }
  }
  throw failure ?? new Error(`no place has ${name}`)
}

/** The places as sources of one root: manifests from the first that has them, blobs from each in turn. */
export function sourcesOf(
  places: readonly MirrorOrOrigin[],
  name: string,
  log: MirrorLog,
): { readonly first: Source; readonly all: readonly TransferSource[] } {
  const all = places.map(({ source, mirror }): TransferSource => {
    if (mirror === undefined) return source
    return { ...source, onFailure: (error) => log.failed(mirror, name, error) }
  })
  const range = all[0]?.fetchRange
  const first: Source = {
    ...(range === undefined ? {} : { fetchRange: range }),
    resolve: (reference) => firstOf(places, name, log, ({ source }) => source.resolve(reference)),
    fetch: (target, start): Promise<Bytes> => (all[0] ?? missing(name)).fetch(target, start),
  }
  return { first, all }
}

/** Something small as a whole, from the first place that has it right. */
export const fetchWhole = (
  places: readonly MirrorOrOrigin[],
  target: Descriptor,
  name: string,
  log: MirrorLog,
): Promise<Uint8Array> =>
  firstOf(places, name, log, async ({ source }) =>
    collect(verified(await source.fetch(target), target, `source ${name}`)),
  )

// --- internal ---

function missing(name: string): never {
  throw new Error(`no place has ${name}`)
}
