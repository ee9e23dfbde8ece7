import { parseAllDocuments } from 'yaml'
import { MAX_NESTING, nestsDeeper } from '../../../lib/nesting.ts'
import type { ChartFiles } from '../../chart-archive.ts'
import { chartFiles } from '../chart/archive.ts'
import { normalisedReference } from '../reference-text.ts'
import { createDocuments } from '../render/documents.ts'
import { referencesOf } from '../render/rendered.ts'
import { isMap } from '../tree.ts'
import { customKindsIn, type CustomKind } from './definitions.ts'

/** An image that a package mentions beside its templates. */
export interface Shown {
  readonly reference: string
  /** `default of Shop .spec.image`, `examples/shop.yaml: Shop/mine .spec.image`. */
  readonly at: string
}

/** A chart that defines kinds of objects: what a controller runs for such objects is in no render of the chart. */
export interface Operands {
  readonly kinds: readonly CustomKind[]
  /** What the package declares of the images that its controllers run. */
  readonly shown: readonly Shown[]
}

/**
 * What a package declares of the images that its controllers run for custom resources: defaults in the schemas of the
 * kinds, example objects, and the list that its authors keep in Chart.yaml.
 * @returns undefined for a chart that defines no kinds
 */
export function findOperands(tgz: Uint8Array): Operands | undefined {
  const files = chartFiles(tgz)
  const kinds = kindsOf(files)
  if (kinds.length === 0) return undefined
  const names = new Set(kinds.map(({ kind }) => kind))
  const shown = [
    ...kinds.flatMap(({ kind, defaults }) =>
      defaults.map(({ reference, field }) => ({ reference, at: `default of ${kind} ${field}` })),
    ),
    ...listedByAuthors(files, names),
    ...[...files].flatMap(([path, content]) =>
      isExample(path, content) ? examplesIn(path, decode(content), names) : [],
    ),
  ]
  const seen = new Set<string>()
  return {
    kinds,
    shown: shown.filter(({ reference }) => !seen.has(reference) && seen.add(reference) !== undefined),
  }
}

// --- internal ---

const FILE_LIMIT = 4 * 1024 * 1024
const EXAMPLE_LIMIT = 512 * 1024

const decode = (content: Uint8Array): string => new TextDecoder().decode(content)

function kindsOf(files: ChartFiles): readonly CustomKind[] {
  const kinds = new Map<string, CustomKind>()
  for (const [path, content] of files) {
    if (!/\.(?:ya?ml|tpl)$/.test(path) || content.length > FILE_LIMIT) continue
    for (const kind of customKindsIn(decode(content))) {
      const name = `${kind.group ?? ''}/${kind.kind}`
      const before = kinds.get(name)
      if (before === undefined || before.fields.length < kind.fields.length) kinds.set(name, kind)
    }
  }
  return [...kinds.values()].toSorted((a, b) => (a.kind < b.kind ? -1 : 1))
}

/** https://artifacthub.io/docs/topics/annotations/helm/ */
function listedByAuthors(files: ChartFiles, kinds: ReadonlySet<string>): readonly Shown[] {
  const metadata = files.get('Chart.yaml')
  const [read] = metadata === undefined ? [] : objectsIn(decode(metadata))
  const annotations = isMap(read) && isMap(read.annotations) ? read.annotations : {}
  const text = (name: string): string => {
    const value = annotations[name]
    return typeof value === 'string' ? value : ''
  }
  const images = objectsIn(text('artifacthub.io/images')).flatMap(
    (list) => (Array.isArray(list) ? list : []) as unknown[],
  )
  return [
    ...images.flatMap((one) => {
      const image = isMap(one) && typeof one.image === 'string' ? normalisedReference(one.image) : undefined
      return image === undefined ? [] : [{ reference: image, at: 'the list of images in Chart.yaml' }]
    }),
    ...examplesIn('Chart.yaml', listAsDocuments(text('artifacthub.io/crdsExamples')), kinds),
  ]
}

/** Objects in a list are no documents of their own. */
const listAsDocuments = (text: string): string =>
  objectsIn(text)
    .flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []))
    .map((one) => `---\n${JSON.stringify(one)}\n`)
    .join('')
    .replace(/"kind":"(\w+)"/g, '"kind": "$1"')

const isExample = (path: string, content: Uint8Array): boolean =>
  content.length <= EXAMPLE_LIMIT &&
  /\.(?:ya?ml|md)$/.test(path) &&
  !/(?:^|\/)(?:templates|crds|ci)\/|(?:^|\/)(?:values[^/]*|Chart)\.ya?ml$/.test(path)

/** The images of objects of these kinds in a file: manifests, or the manifests that a text for people shows. */
function examplesIn(path: string, text: string, kinds: ReadonlySet<string>): readonly Shown[] {
  if (![...kinds].some((kind) => text.includes(kind))) return []
  const manifests = path.endsWith('.md')
    ? [...text.matchAll(/^```ya?ml\s*\n([\s\S]*?)^```/gm)].map(([, block = '']) => block)
    : [text]
  const read = createDocuments()
  return manifests.flatMap((manifest) =>
    referencesOf(read(`\n${manifest}`))
      .filter(({ kind }) => kinds.has(kind))
      .map(({ text: reference, kind, name, path: field }) => ({
        reference: normalisedReference(reference) ?? reference,
        at: `${path}: ${kind}/${name} .${field}`,
      })),
  )
}

function objectsIn(text: string): readonly unknown[] {
  if (text.trim() === '' || nestsDeeper(text, MAX_NESTING)) return []
  return parseAllDocuments(text, { uniqueKeys: false, logLevel: 'silent' }).flatMap((document) =>
    'errors' in document && document.errors.length === 0
      ? [document.toJS({ maxAliasCount: 100 }) as unknown]
      : [],
  )
}
