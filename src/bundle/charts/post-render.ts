import { parseAllDocuments } from 'yaml'
import {
  isAddress,
  isImageKey,
  looksLikeReference,
  mentionsIn,
  type Mention,
} from '../../helm/values/reference-text.ts'
import { usageError } from '../../lib/errors.ts'
import { MAX_NESTING, nestsDeeper } from '../../lib/nesting.ts'
import { fieldsOf, type ManifestField, type SplitReference } from './post-render-fields.ts'
import type { PrivateImages } from './private-images.ts'

export interface Rewritten {
  readonly text: string
  /** What was written instead of what, in order; each pair once. */
  readonly replaced: ReadonlyMap<string, string>
  /** References to other registries that the bundle does not have; they stay. */
  readonly open: readonly string[]
}

/**
 * Rewrites every reference to an image of the bundle in rendered manifests: image fields, arguments, environments,
 * scripts, configuration, secrets. Only the references change; every other byte stays, comments and order included.
 * @param isPrivate tells references that need no change
 * @throws a usage error when the input is not YAML
 */
export function rewriteManifests(
  text: string,
  images: PrivateImages,
  isPrivate: (reference: string) => boolean,
): Rewritten {
  if (nestsDeeper(text, MAX_NESTING)) {
    throw usageError('what came in nests deeper than any manifest', {
      next: 'this command reads what helm renders, from standard input',
    })
  }
  const edits: Edit[] = []
  const open = new Set<string>()
  for (const document of parseAllDocuments(text, {
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'error',
  })) {
    if (!('errors' in document)) break
    const [error] = document.errors
    if (error !== undefined) {
      throw usageError(`what came in is not YAML: ${error.message}`, {
        next: 'this command reads what helm renders, from standard input',
      })
    }
    for (const field of fieldsOf(document)) {
      const [start, end] = field.scalar.range ?? [0, 0]
      const source = text.slice(start, end)
      const found = field.encoded ? inBase64(source, images) : inSource(source, field, images)
      for (const { text: before, start: at, after } of found) {
        if (after !== undefined) edits.push({ start: start + at, before, after })
        else if (!isPrivate(before)) open.add(before)
      }
    }
  }
  return { ...apply(text, edits), open: [...open] }
}

// --- internal ---

interface Edit {
  readonly start: number
  readonly before: string
  readonly after: string
}

interface Found extends Mention {
  /** Absent for what the bundle does not have. */
  readonly after?: string
}

/** References in a scalar as it is written, quotes and block header included. */
function inSource(source: string, field: ManifestField, images: PrivateImages): readonly Found[] {
  const { scalar, hint, split } = field
  const whole = scalar.value.trim()
  const at = source.indexOf(whole)
  if (whole === '') return []
  if (split !== undefined && at >= 0) {
    const after = partOf(images.rewrite(split.reference), split.part)
    if (after !== undefined) return [{ start: at, text: whole, after }]
    if (hint !== 'image')
      return looksLikeReference(split.reference) ? [{ start: at, text: split.reference }] : []
  }
  // Written as it is, apart from quotes: what surrounds it says more of a whole text than of a part.
  if (at >= 0) return mentioned(whole, hint, images).map((one) => ({ ...one, start: one.start + at }))
  return mentioned(scalar.type === 'QUOTE_DOUBLE' ? withoutEscapes(source) : source, hint, images)
}

/** The registry's host, the path below it or both, without the version. */
function partOf(reference: string | undefined, part: SplitReference['part']): string | undefined {
  const name = reference?.replace(/(?::[^:/]*)?(?:@.*)?$/, '')
  const slash = name?.indexOf('/') ?? 0
  return part === 'registry' ? name?.slice(0, slash) : part === 'path' ? name?.slice(slash + 1) : name
}

function mentioned(text: string, hint: ManifestField['hint'], images: PrivateImages): readonly Found[] {
  const known = (token: string): boolean =>
    token.includes('/') && VERSIONED.test(token) && images.rewrite(token) !== undefined
  const mentions = mentionsIn(text, hint, known).filter((mention) => !isAddress(text, mention))
  return mentions.map((mention): Found => {
    const after =
      images.rewrite(mention.text) ??
      (takesNames(text.slice(0, mention.start), hint) ? images.rewriteRepository(mention.text) : undefined)
    return after === undefined ? mention : { ...mention, after }
  })
}

/** `--base-image=quay.io/x/y`: the program adds the version itself. A bare image field means latest. */
const takesNames = (before: string, hint: ManifestField['hint']): boolean =>
  hint === 'named' ||
  (hint === 'none' && isImageKey(/([\w.-]+)["']?\s*[:=\s]\s*["']?$/.exec(before)?.[1] ?? ''))

/** A tag or a digest, and not only a port. */
const VERSIONED = /:[^:/]+$|@/

/** An escape's letters belong to no name: `"a\nquay.io/x/y:1"`. */
const withoutEscapes = (source: string): string =>
  source.replaceAll(/\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[\s\S])/gi, (escape) =>
    escape === '\\n' ? ' \n' : ' '.repeat(escape.length),
  )

/** A secret's value is decoded, rewritten and encoded again, when it is text that names an image. */
function inBase64(source: string, images: PrivateImages): readonly Found[] {
  const before = source.replaceAll(/^["'\s]+|["'\s]+$/g, '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(before)) return []
  const bytes = Buffer.from(before, 'base64')
  const text = bytes.toString('utf8')
  if (!Buffer.from(text).equals(bytes)) return []
  const edits = mentioned(text, 'none', images).flatMap(({ start, text: mention, after }) =>
    after === undefined ? [] : [{ start, before: mention, after }],
  )
  if (edits.length === 0) return []
  const after = Buffer.from(apply(text, edits).text).toString('base64')
  return [{ start: source.indexOf(before), text: before, after }]
}

function apply(
  text: string,
  edits: readonly Edit[],
): { readonly text: string; readonly replaced: ReadonlyMap<string, string> } {
  const replaced = new Map<string, string>()
  let result = ''
  let at = 0
  for (const { start, before, after } of edits.toSorted((a, b) => a.start - b.start)) {
    if (start < at) continue
    result += text.slice(at, start) + after
    at = start + before.length
    replaced.set(before, after)
  }
  return { text: result + text.slice(at), replaced }
}
