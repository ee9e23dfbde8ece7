import { openYaml, type Cursor } from '../cursor.ts'
import type { ListFormat } from '../format.ts'
import { templateIn } from '../image-text.ts'
import type { ListingWriter } from '../listing.ts'

/** https://helm.sh/docs/topics/charts/: the images that annotations name, and the charts it depends on. */
export const chartYaml: ListFormat = {
  name: 'a Chart.yaml',
  matches: (document) =>
    /^v[12]$/.test(document.get('apiVersion').text ?? '') &&
    document.get('kind').kind === 'none' &&
    document.get('name').text !== undefined &&
    document.get('version').text !== undefined,
  read(document, to) {
    const annotations = document.get('annotations')
    const found = ANNOTATIONS.map((key) => annotations.get(key)).filter(({ text }) => text !== undefined)
    for (const annotation of found) readAnnotation(annotation, to)
    readDependencies(document, to)
    if (found.length > 0) return
    const why = 'give the chart itself with --chart <folder>: it is rendered, and its images are found'
    to.leaveOut(
      ['chart without a list of images', 'charts without a list of images'],
      document.get('name').text ?? '',
      why,
      document.at,
    )
  },
}

/** `Chart.lock`, `requirements.lock`, `helmfile.lock`, `requirements.yaml`: charts only, with exact versions or without. */
export const chartLock: ListFormat = {
  name: 'a list of chart dependencies',
  matches: (document) => {
    const keys = document.entries.map(([key]) => key)
    return (
      keys.includes('dependencies') &&
      keys.every((key) => ['dependencies', 'digest', 'generated', 'version'].includes(key))
    )
  },
  read: readDependencies,
}

// --- internal ---

/** Artifact Hub, Bitnami and dt, Helm's proposal HIP-15 (Zarf, Big Bang, SUSE). */
const ANNOTATIONS = ['artifacthub.io/images', 'images', 'helm.sh/images']

/** A text that holds YAML. */
function readAnnotation(annotation: Cursor, to: ListingWriter): void {
  const { documents, problem } = openYaml(annotation.text ?? '', annotation.at.file)
  if (problem !== undefined)
    return to.problem(annotation.at, `the annotation is not valid YAML: ${problem.message}`)
  for (const image of documents.flatMap((document) => document.items)) {
    const [name, tag] = [image.get('name').text, image.get('tag').text]
    const text =
      image.text ??
      image.get('image').text ??
      (name === undefined || tag === undefined ? name : `${name}:${tag}`)
    const platforms = image.get('platforms').items.flatMap((one) => one.text ?? [])
    to.image(text, annotation.at, { platforms })
  }
}

function readDependencies(document: Cursor, to: ListingWriter): void {
  for (const one of document.get('dependencies').items) {
    const [name, version, repository] = ['name', 'version', 'repository'].map((key) => one.get(key).text)
    const leave = (why: string): void =>
      to.leaveOut(
        ['chart dependency', 'chart dependencies'],
        `${name ?? ''} ${version ?? ''}`.trim(),
        why,
        one.at,
      )
    if (repository === undefined || /^(?:file:|@|alias:)/.test(repository)) {
      leave(
        `it is found by ${repository ?? 'charts/'} on the machine of the chart: give its folder with --chart`,
      )
    } else if (
      !/^v?\d+\.\d+\.\d+(?:[-+].*)?$/.test(version ?? '') &&
      templateIn(version ?? '') === undefined
    ) {
      leave('it has a range of versions: give Chart.lock, which names the exact one')
    } else to.chart({ name, version, repository }, one.at)
  }
}
