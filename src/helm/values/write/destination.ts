import { parseReference, type Reference } from '../../../oci/reference.ts'
import { normalisedReference } from '../reference-text.ts'

export interface Destinations {
  /** The private reference for a normalised one: where the import put it. A pure function of the name. */
  readonly destinationOf: (reference: string) => string
  /** Write digests too, where the chart has a place for them: the digest of a normalised reference. */
  readonly digestOf?: (reference: string) => string | undefined
}

/** A reference as it is rendered: whole, or the beginning of a name to which a program adds the rest. */
export interface Rendering {
  readonly text: string
  readonly stem?: boolean
}

/** What a rendered reference must become; undefined for a text that is none. */
export function destinationText(
  { text, stem }: Rendering,
  { destinationOf }: Pick<Destinations, 'destinationOf'>,
): string | undefined {
  if (stem === true) return stemDestination(text, destinationOf)
  const normal = normalisedReference(text)
  return normal === undefined ? undefined : destinationOf(normal)
}

/** A stem with its host and without what is implied: `docker.io/team/runner-`, `quay.io/`. */
export function stemReference(text: string): string {
  const { probe, rest } = probeOf(text)
  const whole = normalisedReference(probe)
  return whole === undefined ? text : `${withoutEnd(whole, rest)}${rest.startsWith('/') ? '/' : ''}`
}

/** What a stem must become: where the private registry has the names that begin with it. */
export function stemDestination(
  text: string,
  destinationOf: (reference: string) => string,
): string | undefined {
  const { probe, rest } = probeOf(text)
  const whole = normalisedReference(probe)
  if (whole === undefined) return undefined
  return `${withoutEnd(destinationOf(whole), rest)}${text.endsWith('/') ? '/' : ''}`
}

/** The same image by the same name, whatever is left out in writing; a digest counts where there is one. */
export function sameImage(rendered: string, wanted: string): boolean {
  if (rendered === wanted) return true
  const found = parsed(rendered)
  const want = parsed(wanted)
  if (found === undefined || want === undefined) return false
  if (found.registry !== want.registry || found.repository !== want.repository) return false
  if (found.digest !== undefined || want.tag === undefined) return found.digest === want.digest
  return (found.tag ?? 'latest') === want.tag
}

// --- internal ---

/** A whole name that begins with the stem. Two parts after a host, because one alone is `library/…` in Docker Hub. */
const probeOf = (text: string): { probe: string; rest: string } =>
  /[-_]$/.test(text)
    ? { probe: `${text}x`, rest: 'x' }
    : { probe: `${text.replace(/\/$/, '')}/zz/zz`, rest: '/zz/zz' }

const withoutEnd = (text: string, end: string): string => {
  const name = text.replace(/:latest$/, '')
  return name.endsWith(end) ? name.slice(0, -end.length) : name
}

const parsed = (text: string): Reference | undefined => {
  const normal = normalisedReference(text)
  return normal === undefined ? undefined : parseReference(normal)
}
