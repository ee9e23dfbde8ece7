import { isMap, isPair, isScalar, parseAllDocuments, visit } from 'yaml'
import { isImageKey, mentionsIn } from '../helm/values/reference-text.ts'
import { usageError } from '../lib/errors.ts'
import type { PrivateImages } from './private-reference.ts'

export interface Rewritten {
  readonly text: string
  /** What was written instead of what, in order; each pair once. */
  readonly replaced: ReadonlyMap<string, string>
}

/**
 * Rewrites every reference to an image of the bundle in rendered manifests: image fields, arguments, environments,
 * scripts, configuration. Only the references change; every other byte stays, comments and order included.
 * @throws a usage error when the input is not YAML
 */
export function rewriteManifests(text: string, images: PrivateImages): Rewritten {
  const edits: Edit[] = []
  for (const document of parseAllDocuments(text, {
    uniqueKeys: false,
    prettyErrors: false,
  })) {
    if ('errors' in document && document.errors.length > 0) {
      throw usageError(`what came in is not YAML: ${document.errors[0]?.message ?? ''}`, {
        next: 'this command reads what helm renders, from standard input',
      })
    }
    visit(document, {
      Scalar(key, node, path) {
        if (key === 'key' || typeof node.value !== 'string' || node.range == null) return
        const [start, end] = node.range
        const source = text.slice(start, end)
        edits.push(...editsIn(source, start, fieldName(path), images))
      },
    })
  }
  return apply(text, edits)
}

// --- internal ---

interface Edit {
  readonly start: number
  readonly before: string
  readonly after: string
}

function editsIn(source: string, start: number, field: string, images: PrivateImages): readonly Edit[] {
  const known = (token: string): boolean =>
    images.rewrite(token) !== undefined && /[:@]/.test(token.replace(/^[^/]*:\d+\//, ''))
  const whole = source.replaceAll(/^["'\s]+|["'\s]+$/g, '')
  if (isImageKey(field)) {
    // In a field for an image even a bare name is a reference: `busybox` means docker.io/library/busybox:latest.
    const after = images.rewrite(whole)
    if (after !== undefined) return [{ start: start + source.indexOf(whole), before: whole, after }]
  }
  return mentionsIn(source, 'none', known).flatMap((mention): Edit[] => {
    const after = images.rewrite(mention.text)
    return after === undefined ? [] : [{ start: start + mention.start, before: mention.text, after }]
  })
}

/** The key a value stands under, through lists. */
function fieldName(path: readonly unknown[]): string {
  for (const step of path.toReversed()) {
    if (isPair(step)) return isScalar(step.key) ? String(step.key.value) : ''
    if (isMap(step)) return ''
  }
  return ''
}

function apply(text: string, edits: readonly Edit[]): Rewritten {
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
