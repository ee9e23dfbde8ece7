import { isGone, RegistryError } from '../error.ts'
import type { RepositoryHandle } from '../repository-calls.ts'

/** An answer to HEAD that lacks the headers which say what is there. */
export const UNCLEAR = Symbol('an answer without its headers')

export interface Question<Found> {
  readonly head: () => Promise<Found | undefined | typeof UNCLEAR>
  readonly get: () => Promise<Found | undefined>
}

/**
 * Asks by HEAD, which is cheap, and by GET where a host refuses HEAD or leaves out its headers. Proxies, gateways and
 * object stores do so with 400, 403, 405, 406 or 501; only the answer to GET says what is there. Hosts that do are
 * remembered for the run, manifests apart from blobs, which may lie with another host.
 * @returns undefined when it has no such content
 */
export async function headOrGet<Found>(
  { client, registry }: RepositoryHandle,
  about: 'manifest' | 'blob',
  { head, get }: Question<Found>,
): Promise<Found | undefined> {
  const key = `${registry} ${about}`
  if (client.headless.has(key)) return get()
  try {
    const found = await head()
    if (found !== UNCLEAR) return found
  } catch (error) {
    if (!(error instanceof RegistryError) || error.retryable) throw error
    // The client repeats a refused HEAD as GET to learn the reason: an error of GET is the host's real answer.
    if (error.method !== 'HEAD') {
      if (!isGone(error)) throw error
      client.headless.add(key)
      return undefined
    }
  }
  const found = await get()
  client.headless.add(key)
  return found
}
