import { parseAllDocuments } from 'yaml'
import { basename } from 'node:path'
import { usageError } from '../../../lib/errors.ts'
import { MAX_NESTING, nestsDeeper } from '../../../lib/nesting.ts'
import { parseObject } from '../../../oci/manifest.ts'
import { objectsIn, type KubeObject } from '../../spec/lists/objects/object.ts'

/**
 * Kubernetes objects out of what kubectl prints: one object, a list, JSON or YAML of several documents.
 * @throws a usage error for a text without any
 */
export function parseObjects(text: string, where: string): readonly KubeObject[] {
  const fail = (why: string) =>
    usageError(`these are no Kubernetes objects: ${why}`, {
      where: basename(where),
      next: 'print them with: kubectl get pods,deploy,sts,ds,jobs,cronjobs,events,nodes -A -o json',
    })
  const bytes = new TextEncoder().encode(text)
  if (text.trimStart().startsWith('{')) {
    const json = parseObject(bytes)
    if (json === undefined) throw fail('the JSON is cut off or damaged')
    return checked(objectsIn(json, { file: where }), fail)
  }
  if (nestsDeeper(bytes, MAX_NESTING)) throw fail('it is nested too deeply')
  const found = parseAllDocuments(text, { logLevel: 'silent', uniqueKeys: false })
  const documents = 'empty' in found ? [] : found
  const broken = documents.find(({ errors }) => errors.length > 0)?.errors[0]
  if (broken !== undefined) throw fail(broken.message.split('\n')[0] ?? 'the YAML cannot be read')
  return checked(
    documents.flatMap((document) => objectsIn(document.toJS({ maxAliasCount: 1000 }), { file: where })),
    fail,
  )
}

// --- internal ---

function checked(objects: readonly KubeObject[], fail: (why: string) => Error): readonly KubeObject[] {
  if (objects.length === 0) throw fail('nothing in it has a kind')
  return objects
}
