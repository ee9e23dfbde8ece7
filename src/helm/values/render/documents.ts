import { parseAllDocuments } from 'yaml'
import { MAX_NESTING, nestsDeeper } from '../../../lib/nesting.ts'
import { isMap, type Values } from '../tree.ts'

/** One object of a rendered chart. */
export interface RenderedDocument {
  /** Tells the objects of one render apart, and finds the same object in another. */
  readonly key: string
  readonly kind: string
  readonly name: string
  /** `helm.sh/hook`: `post-install`, `test`, … */
  readonly hook?: string
  readonly object: Values
}

/**
 * Reads what `helm template` prints. Most objects are alike in render after render, so what was parsed last is kept.
 * Custom resource definitions are left out: they name no image that is pulled, only describe fields.
 */
export function createDocuments(): (output: string) => RenderedDocument[] {
  const parsed = createParsed()
  return (output) => {
    const documents: RenderedDocument[] = []
    const found: (Omit<RenderedDocument, 'key'> & { readonly source: string })[] = []
    const seen = new Map<string, number>()
    for (const text of output.split(/^---$/m)) {
      if (/^kind: ["']?CustomResourceDefinition/m.test(text)) continue
      const objects = parsed(text)
      const source = /^# Source: (.+)$/m.exec(text)?.[1] ?? ''
      for (const object of objects) found.push({ source, object, ...identityOf(object) })
    }
    // One template may give an object a new name in every render; where it is the only one, its name says nothing.
    const alike = new Map<string, number>()
    for (const { source, kind } of found) count(alike, `${source}|${kind}`)
    for (const { source, object, kind, name, hook } of found) {
      const only = alike.get(`${source}|${kind}`) === 1
      const identity = `${source}|${kind}|${only ? '' : name}`
      const before = count(seen, identity)
      documents.push({
        key: before === 0 ? identity : `${identity}|${before}`,
        kind,
        name,
        ...(hook === undefined ? {} : { hook }),
        object,
      })
    }
    return documents
  }
}

// --- internal ---

/** Of texts whose objects are kept. Parsed, they take some ten times as much. */
const KEPT_CHARACTERS = 2 * 1024 * 1024

/** Parses texts, and keeps those that were needed last. */
function createParsed(): (text: string) => readonly Values[] {
  const known = new Map<string, { readonly objects: readonly Values[]; readonly size: number }>()
  let kept = 0
  return (text) => {
    const key = new Bun.CryptoHasher('sha256').update(text).digest('base64')
    const before = known.get(key)
    // A text of its own: a part of helm's output would keep all of it in memory.
    const entry = before ?? { objects: objectsOf(Buffer.from(text).toString()), size: text.length }
    known.delete(key)
    known.set(key, entry)
    if (before === undefined) kept += entry.size
    for (const [oldest, { size }] of known) {
      if (kept <= KEPT_CHARACTERS || oldest === key) break
      known.delete(oldest)
      kept -= size
    }
    return entry.objects
  }
}

/** Counts one more, and returns how many there were. */
function count(counts: Map<string, number>, key: string): number {
  const before = counts.get(key) ?? 0
  counts.set(key, before + 1)
  return before
}

function objectsOf(text: string): Values[] {
  // Not an object a cluster would take, and no parser should try.
  if (nestsDeeper(text, MAX_NESTING)) return [{ kind: 'Unreadable', text }]
  const objects: Values[] = []
  for (const document of parseAllDocuments(text, { uniqueKeys: false, logLevel: 'silent', merge: true })) {
    let read: unknown
    try {
      read = document.toJS({ maxAliasCount: 1000 })
    } catch {
      // Not an object a cluster would take; its text still counts.
      read = { kind: 'Unreadable', text }
    }
    if (!isMap(read)) continue
    // helm prints what a template writes, objects or not.
    if (typeof read.kind !== 'string') continue
    if (read.kind === 'List' && Array.isArray(read.items)) objects.push(...read.items.filter(isMap))
    else objects.push(read)
  }
  return objects
}

function identityOf(object: Values): { kind: string; name: string; hook?: string } {
  const metadata = isMap(object.metadata) ? object.metadata : {}
  const annotations = isMap(metadata.annotations) ? metadata.annotations : {}
  const hook = annotations['helm.sh/hook']
  return {
    kind: typeof object.kind === 'string' ? object.kind : '',
    name: typeof metadata.name === 'string' ? metadata.name : '',
    ...(typeof hook === 'string' ? { hook } : {}),
  }
}
