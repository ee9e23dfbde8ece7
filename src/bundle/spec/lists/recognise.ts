import { resolve } from 'node:path'
import { usageError, type BundleError } from '../../../lib/errors.ts'
import { MAX_NESTING, nestsDeeper } from '../../../lib/nesting.ts'
import { isObject } from '../../../oci/manifest.ts'
import { parseSpec, type BundleSpec } from '../spec.ts'
import { openYaml, type Cursor } from './cursor.ts'
import { groupOf, kindOf } from './format.ts'
import { FORMATS } from './formats/table.ts'
import { createListing, placeText, type ListingWriter, type ListPlace } from './listing.ts'
import { isKustomization } from './objects/kustomization.ts'
import { objectsIn, type KubeObject } from './objects/object.ts'
import { readPlainText, readTable, type PlainText } from './plain-text.ts'

/** A file, or what came in on standard input. */
export interface ListText {
  /** How errors call it. */
  readonly file: string
  readonly text: string
  /** Where its relative paths start. */
  readonly folder?: string
  /** One of a folder of files: what it is not need not be wrong. */
  readonly isOneOfMany?: boolean
}

/** What a text turned out to be: a spec of our own, or a list of another tool, perhaps with objects among it. */
export type Recognised =
  | { readonly kind: 'spec'; readonly spec: BundleSpec }
  | { readonly kind: 'list'; readonly to: ListingWriter; readonly objects: readonly KubeObject[] }

/**
 * Tells a list by what is in it, never by its name, and reads it.
 * @throws a usage error for what is no list, with the shortest forms that are
 */
export function recognise(source: ListText): Recognised {
  const { file, text, folder } = source
  if (nestsDeeper(text, MAX_NESTING)) throw usageError(`${file}: it nests deeper than any list`)
  const json = jsonOf(text)
  if (json.value !== undefined) {
    const objects = objectsIn(json.value, { file, line: 1 })
    if (objects.length > 0 && objects.every(isCluster))
      return { kind: 'list', to: writerFor(folder), objects }
  }
  const plain = readPlainText(text, file)
  if (plain.named > 0 && plain.other === 0) return fromPlain(plain)
  const table = readTable(text, file)
  if (table !== undefined) return { kind: 'list', to: withListing(table), objects: [] }
  if (text.length > MAX_YAML) throw tooLong(source, plain)
  const { documents, problem } = openYaml(json.isLines ? text.replaceAll(/^(?=\s*\{)/gm, '- ') : text, file)
  if (problem !== undefined) return notYaml(source, plain, problem)
  if (documents.length === 1 && documents[0] !== undefined && isOwn(documents[0])) {
    return { kind: 'spec', spec: parseSpec(text, file, folder) }
  }
  return readDocuments(documents, source, plain)
}

/** What a person can write instead, whatever it is that was not understood. */
export const SHORTEST =
  'two forms always work: a text file with one image a line, as in quay.io/team/app:1.2, or images and charts on the command line: quay.io/team/app:1.2 --chart grafana@8.15.0=https://grafana.github.io/helm-charts'

// --- internal ---

/** A parser of YAML takes some hundred times the memory of its text. */
const MAX_YAML = 16 * 1024 * 1024

function writerFor(folder: string | undefined): ListingWriter {
  return createListing(folder === undefined ? undefined : (path) => resolve(folder, path))
}

/** A listing that is finished, for callers that only read it. */
const withListing = (listing: ListingWriter['listing']): ListingWriter => ({ ...createListing(), listing })

const fromPlain = (plain: PlainText): Recognised => ({
  kind: 'list',
  to: withListing(plain.listing),
  objects: [],
})

function jsonOf(text: string): { readonly value: unknown; readonly isLines: boolean } {
  const start = text.trimStart()
  if (!/^[[{]/.test(start)) return { value: undefined, isLines: false }
  try {
    return { value: JSON.parse(text), isLines: false }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { value: undefined, isLines: /^\{.*\}\s*$/.test(start.split('\n', 1)[0] ?? '') }
  }
}

/** An object of a cluster: no list of another tool that only looks like one. */
function isCluster({ object }: KubeObject): boolean {
  const { apiVersion } = object
  return typeof apiVersion === 'string' && !LISTS.test(apiVersion)
}

const LISTS =
  /^(?:ma-bundle\/|(?:content|collection)\.hauler|zarf\.dev|mirror\.openshift\.io|imgpkg\.carvel|kbld\.k14s|kots\.io|output\.kubeadm|kustomize\.config)/

/** The spec of this program, the list that Migration Assistant ships, or what was meant as one of them. */
function isOwn(document: Cursor): boolean {
  if (groupOf(document) === 'ma-bundle' || kindOf(document) === 'BundleSpec') return true
  const keys = document.entries.map(([key]) => key)
  if (keys.includes('kind') || keys.length === 0) return false
  if (keys.includes('groups')) return true
  if (keys.includes('images') && document.get('images').kind === 'none' && keys.length === 1) return true
  const charts = document.get('charts').items
  return charts.length > 0 && charts.every(({ text }) => text?.includes('|') === true)
}

function readDocuments(documents: readonly Cursor[], source: ListText, plain: PlainText): Recognised {
  const to = writerFor(source.folder)
  const objects: KubeObject[] = []
  const unknown: Cursor[] = []
  for (const document of documents) {
    const format = FORMATS.find((one) => one.matches(document))
    const found = format === undefined ? objectsIn(document.value(), document.at) : []
    if (format !== undefined) format.read(document, to)
    else if (isKustomization(document)) leaveKustomization(document, source, to)
    else if (found.length > 0) objects.push(...found)
    else unknown.push(document)
  }
  if (unknown.length === 0 && documents.length > 0) return { kind: 'list', to, objects }
  if (plain.named > plain.other) return fromPlain(plain)
  if (unknown.length < documents.length || source.isOneOfMany === true) {
    for (const document of unknown) {
      const first = document.entries[0]?.[0] ?? document.text ?? 'nothing'
      const why = 'it is neither an object nor a list that is known here'
      to.leaveOut(['document', 'documents'], `that begins with ${first.slice(0, 60)}`, why, document.at)
    }
    return { kind: 'list', to, objects }
  }
  throw unknownList(source, unknown[0], plain)
}

function leaveKustomization(document: Cursor, { file }: ListText, to: ListingWriter): void {
  const folder = file.includes('/') ? file.slice(0, file.lastIndexOf('/')) : '.'
  const message = `this is what kustomize reads, not what it makes; run: kubectl kustomize ${folder} | ma-bundle export <bundle> --spec -`
  to.problem(document.at, message)
}

function notYaml(
  source: ListText,
  plain: PlainText,
  problem: { readonly at: ListPlace; readonly message: string },
): Recognised {
  const { text, file } = source
  if (plain.named > plain.other) return fromPlain(plain)
  const line = text.split('\n').findIndex((one) => /\{\{|^\s*#@/.test(one))
  if (line >= 0) {
    throw usageError(`${file}:${line + 1}: this is a template that is not rendered yet`, {
      next: 'give what it is rendered to: helm template, kubectl kustomize, helmfile template or ytt write it, and --spec - reads it',
    })
  }
  if (/^\s*uds\s*\{/m.test(text) && text.includes('bundle_api_version')) {
    throw usageError(`${file} is a UDS bundle, which names packages and no images`, {
      next: "give each package's own list, as in: zarf package inspect images oci://<package> | ma-bundle export <bundle> --spec -",
    })
  }
  if (/^[[{]/.test(text.trimStart())) throw unknownFrom(`${placeText(problem.at)}: not valid JSON`)
  if (plain.named === 0 && !/^[\w"'-]+\s*:/m.test(text)) throw unknownList(source, undefined, plain)
  throw unknownFrom(`${placeText(problem.at)}: not valid YAML: ${problem.message}`)
}

const unknownFrom = (message: string): BundleError => usageError(message, { next: SHORTEST })

function unknownList({ file, text }: ListText, document: Cursor | undefined, plain: PlainText): BundleError {
  if (text.trim() === '') return unknownFrom(`${file} is empty`)
  if (document !== undefined && looksLikeValues(document.value())) {
    return usageError(`${file} looks like the values of a Helm chart, which say only what is changed`, {
      next: `name the chart as well: --chart <name>@<version>=<repository> --values ${file}`,
    })
  }
  const [first] = plain.listing.problems
  const seen =
    first === undefined || document !== undefined ? '' : `; line ${first.at.line}: ${first.message}`
  const keys = document?.entries.map(([key]) => key).slice(0, 5) ?? []
  const has = keys.length === 0 ? '' : `; its keys are ${keys.join(', ')}`
  return unknownFrom(`${file} is no list that is known here${has}${seen}`)
}

/** Image-shaped leaves without a chart: a tag may be empty, a registry global. */
function looksLikeValues(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(looksLikeValues)
  if (!isObject(value)) return false
  if (typeof value['repository'] === 'string' && ('tag' in value || 'registry' in value)) return true
  return typeof value['image'] === 'string' || Object.values(value).some(looksLikeValues)
}

function tooLong({ file, text }: ListText, plain: PlainText): BundleError {
  const [first] = plain.listing.problems
  const where = first === undefined ? '' : `; the first other line is ${placeText(first.at)}`
  return usageError(
    `${file}: ${text.length} characters are too many for YAML (at most ${MAX_YAML})${where}`,
    {
      next: 'give one image a line, or objects as JSON (kubectl get -o json), which have no such limit',
    },
  )
}
