import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ChartFiles } from '../../chart-archive.ts'
import { chartFiles } from '../chart/archive.ts'
import { MADE_UP } from './made-up.ts'

/**
 * Writes a copy of a chart that renders whatever its values are: without schemas, without the checks that end in
 * `fail` or `required`, without notes, for any Kubernetes. It serves to look around in features that exclude each
 * other; nothing is called proven for the user's own values by it.
 */
export async function writeRelaxed(tgz: Uint8Array, folder: string): Promise<void> {
  await writeFiles(folder, chartFiles(tgz), (path, content) => {
    if (LEFT_OUT.test(path)) return undefined
    return isWithoutImages(path, content) ? NOTHING : relaxed(path, content)
  })
}

/**
 * Writes a copy of a chart without the templates that only define custom resources: it renders and fails like the
 * chart, without what is often most of the text that helm prints, and most of its time.
 * @returns whether there are any; nothing is written when there are none
 */
export async function writeWithoutDefinitions(tgz: Uint8Array, folder: string): Promise<boolean> {
  const files = chartFiles(tgz)
  const isLeftOut = (path: string, content: Uint8Array): boolean =>
    isTemplate(path) && onlyDefines(decode(content)) && !mayFail(decode(content))
  if (![...files].some(([path, content]) => isLeftOut(path, content))) return false
  await writeFiles(folder, files, (path, content) => (isLeftOut(path, content) ? NOTHING : content))
  return true
}

// --- internal ---

/** Others may include the file to hash it, so that it stays. */
const NOTHING = '# left out\n'

async function writeFiles(
  folder: string,
  files: ChartFiles,
  write: (path: string, content: Uint8Array) => Uint8Array | string | undefined,
): Promise<void> {
  for (const [path, content] of files) {
    if (path.startsWith('/') || path.split('/').includes('..')) continue
    // Helm obeys it in folders only: what was packed is part of the chart.
    if (/(?:^|\/)\.helmignore$/.test(path)) continue
    const text = write(path, content)
    if (text === undefined) continue
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text, { mode: 0o600 })
  }
}

const isTemplate = (path: string): boolean => /(?:^|\/)templates\/.*\.ya?ml$/.test(path)

/** All objects are custom resource definitions; the kinds further in are names and fields of theirs. */
function onlyDefines(text: string): boolean {
  const kinds = [...text.matchAll(/^kind:[ \t]*["']?([^\s"'#]+)/gm)].map(([, kind]) => kind)
  return (
    kinds.length > 0 &&
    kinds.every((kind) => kind === 'CustomResourceDefinition') &&
    !/\{\{-?\s*(?:define|block)\b/.test(text)
  )
}

const mayFail = (text: string): boolean =>
  /\b(?:fail|required|lookup|tpl|fromYaml|fromJson)\b/.test(text.match(/\{\{[\s\S]*?\}\}/g)?.join('') ?? '')

const LEFT_OUT =
  /^(?:charts\/[^/]+\/)*(?:values\.schema\.json|templates\/NOTES\.txt|README[^/]*|crds\/.*|ci\/.*)$/

/** Objects that no kubelet pulls anything for. */
const WITHOUT_IMAGES =
  /^(?:CustomResourceDefinition|PrometheusRule|ServiceMonitor|PodMonitor|Service|ServiceAccount|Role|ClusterRole|RoleBinding|ClusterRoleBinding|NetworkPolicy|PodDisruptionBudget|HorizontalPodAutoscaler|Ingress|IngressClass|HTTPRoute|PersistentVolumeClaim|StorageClass|PriorityClass|ValidatingWebhookConfiguration|MutatingWebhookConfiguration|APIService|PodSecurityPolicy|SecurityContextConstraints)$/
const LONG = 8 * 1024

/** A template that makes no reference, for all that its text tells. Often most of a chart, and of helm's time. */
function isWithoutImages(path: string, content: Uint8Array): boolean {
  if (!isTemplate(path)) return false
  const text = decode(content)
  if (onlyDefines(text)) return true
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
        `$1default "${MADE_UP}"`,
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
