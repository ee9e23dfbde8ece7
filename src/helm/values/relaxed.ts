import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { chartFiles } from './chart-archive.ts'

/**
 * Writes a copy of a chart that renders whatever its values are: without schemas, without the checks that end in
 * `fail` or `required`, without notes, for any Kubernetes. It serves to look around in features that exclude each
 * other; nothing is called proven for the user's own values by it.
 */
export async function writeRelaxed(tgz: Uint8Array, folder: string): Promise<void> {
  for (const [path, content] of chartFiles(tgz)) {
    if (
      LEFT_OUT.test(path) ||
      isDefinitions(path, content) ||
      path.startsWith('/') ||
      path.split('/').includes('..')
    )
      continue
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, relaxed(path, content), { mode: 0o600 })
  }
}

// --- internal ---

const LEFT_OUT =
  /^(?:charts\/[^/]+\/)*(?:values\.schema\.json|templates\/NOTES\.txt|README[^/]*|crds\/.*|ci\/.*)$/

/** A template of nothing but custom resource definitions: often most of a chart, and it names no image. */
function isDefinitions(path: string, content: Uint8Array): boolean {
  if (!/(?:^|\/)templates\/.*\.ya?ml$/.test(path)) return false
  const text = decode(content)
  // A file of nothing but checks.
  if (
    /\bfail\b/.test(text) &&
    !/^\s*(?:kind|apiVersion):/m.test(text) &&
    !/\bdefine\b|toYaml|include/.test(text)
  )
    return true
  const kinds = text.match(/^kind: .*$/gm) ?? []
  return (
    kinds.length > 0 &&
    kinds.every((kind) => /CustomResourceDefinition/.test(kind)) &&
    !/\{\{-?\s*define/.test(text)
  )
}

function relaxed(path: string, content: Uint8Array): Uint8Array | string {
  if (/(?:^|\/)Chart\.yaml$/.test(path)) return decode(content).replace(/^kubeVersion:.*$/m, '')
  if (!/(?:^|\/)templates\/.*\.(?:ya?ml|tpl)$/.test(path)) return content
  return decode(content).replace(/\{\{[\s\S]*?\}\}/g, (action) =>
    action
      // Both take one text; the first gives an empty one instead of an error.
      .replace(/(^|[\s({|-])fail(?=[\s)}])/g, '$1trunc 0')
      .replace(
        /(^|[\s({|-])required(?=\s+(?:"(?:[^"\\]|\\.)*"|`[^`]*`))\s+(?:"(?:[^"\\]|\\.)*"|`[^`]*`)/g,
        '$1default "x"',
      )
      // Seconds of work for keys that nobody looks at; their fields stay.
      .replace(
        /(^|[\s({|-])gen(?:CA|SelfSignedCert|SignedCert)(?:WithKey)?(?=\s)/g,
        '$1dict "Cert" "x" "Key" "x"',
      )
      .replace(/(^|[\s({|-])(?:genPrivateKey|bcrypt)(?=[\s)])/g, '$1print'),
  )
}

const decode = (content: Uint8Array): string => new TextDecoder().decode(content)
