import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { chartFiles } from '../chart/archive.ts'

/**
 * Writes a copy of a chart that renders whatever its values are: without schemas, without the checks that end in
 * `fail` or `required`, without notes, for any Kubernetes. It serves to look around in features that exclude each
 * other; nothing is called proven for the user's own values by it.
 */
export async function writeRelaxed(tgz: Uint8Array, folder: string): Promise<void> {
  for (const [path, content] of chartFiles(tgz)) {
    if (LEFT_OUT.test(path) || path.startsWith('/') || path.split('/').includes('..')) continue
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true })
    // Others may include the file to hash it, so that it stays.
    const text = isWithoutImages(path, content) ? '# left out\n' : relaxed(path, content)
    await writeFile(file, text, { mode: 0o600 })
  }
}

// --- internal ---

const LEFT_OUT =
  /^(?:charts\/[^/]+\/)*(?:values\.schema\.json|templates\/NOTES\.txt|README[^/]*|crds\/.*|ci\/.*)$/

/** Objects that no kubelet pulls anything for. */
const WITHOUT_IMAGES =
  /^(?:CustomResourceDefinition|PrometheusRule|ServiceMonitor|PodMonitor|Service|ServiceAccount|Role|ClusterRole|RoleBinding|ClusterRoleBinding|NetworkPolicy|PodDisruptionBudget|HorizontalPodAutoscaler|Ingress|IngressClass|HTTPRoute|PersistentVolumeClaim|StorageClass|PriorityClass|ValidatingWebhookConfiguration|MutatingWebhookConfiguration|APIService|PodSecurityPolicy|SecurityContextConstraints)$/
const LONG = 8 * 1024

/** A template that makes no reference, for all that its text tells. Often most of a chart, and of helm's time. */
function isWithoutImages(path: string, content: Uint8Array): boolean {
  if (!/(?:^|\/)templates\/.*\.ya?ml$/.test(path)) return false
  const text = decode(content)
  if (/\{\{-?\s*(?:define|block)\b/.test(text)) return false
  const kinds = [...text.matchAll(/^\s*kind:\s*["']?([^\s"'#]+)/gm)].map(([, kind = '']) => kind)
  // A file of nothing but checks.
  if (kinds.length === 0) return /\bfail\b/.test(text) && !/^\s*apiVersion:|toYaml|include/m.test(text)
  if (kinds.every((kind) => WITHOUT_IMAGES.test(kind))) return true
  // Dashboards and the like: long, and almost all of it plain text.
  const actions = text.match(/\{\{[\s\S]*?\}\}/g)?.join('').length ?? 0
  return (
    text.length > LONG && actions < text.length / 8 && !/image|repositor|registry|toYaml|\btpl\b/i.test(text)
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
