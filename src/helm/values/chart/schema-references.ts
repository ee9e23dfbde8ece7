import { isObject, parseObject } from '../../../oci/manifest.ts'
import { chartFiles } from './archive.ts'

/**
 * Whether a schema of the chart, or of one below it, refers to something outside of itself: a URL, or a file. Helm
 * fetches such things when it validates, which would let a chart ask any host that this machine can reach.
 * https://json-schema.org/draft/2020-12/json-schema-core#name-schema-references
 */
export function refersElsewhere(tgz: Uint8Array): boolean {
  for (const [path, content] of chartFiles(tgz)) {
    if (!/(?:^|\/)values\.schema\.json$/.test(path)) continue
    const schema = parseObject(content)
    // What cannot be read here may still be read by helm.
    if (schema === undefined || hasForeign(schema)) return true
  }
  return false
}

// --- internal ---

const REFERENCES: ReadonlySet<string> = new Set(['$ref', '$schema', '$dynamicRef', '$recursiveRef'])
/** Those of the specification itself are built into every validator. */
const OWN = /^(?:#|https?:\/\/json-schema\.org\/(?:draft-0[4-7]|draft\/20\d\d-\d\d)\/(?:hyper-)?schema#?$)/

function hasForeign(value: unknown): boolean {
  const left: unknown[] = [value]
  while (left.length > 0) {
    const one = left.pop()
    if (Array.isArray(one)) for (const item of one) left.push(item)
    if (!isObject(one)) continue
    for (const [key, inner] of Object.entries(one)) {
      if (REFERENCES.has(key) && typeof inner === 'string' && inner !== '' && !OWN.test(inner)) return true
      left.push(inner)
    }
  }
  return false
}
