import type { Cursor } from '../cursor.ts'
import { groupOf, kindOf, type ListFormat } from '../format.ts'
import type { ListingWriter } from '../listing.ts'

/** https://docs.hauler.dev/docs/hauler-usage/store/sync: Images, Charts and Files, of v1alpha1 and v1. */
export const hauler: ListFormat = {
  name: 'a Hauler manifest',
  matches: (document) => /^(?:content|collection)\.hauler\.cattle\.io$/.test(groupOf(document)),
  read(document, to) {
    const spec = document.get('spec')
    const kind = kindOf(document)
    if (kind === 'Images') readImages(document, to)
    else if (kind === 'Charts' || kind === 'ThickCharts')
      for (const one of spec.get('charts').items) readChart(one, to)
    else if (kind === 'Files') for (const one of spec.get('files').items) readFile(one, to)
    else {
      const name = document.get('metadata', 'name').text ?? kind
      const why = 'Hauler fetches it by rules of its own: list its images instead'
      to.leaveOut([`Hauler ${kind}`, `Hauler ${kind}`], name, why, document.at)
    }
  },
}

// --- internal ---

function readImages(document: Cursor, to: ListingWriter): void {
  const notes = document.get('metadata', 'annotations')
  const registry = notes.get('hauler.dev/registry').text
  const platform = notes.get('hauler.dev/platform').text
  const key = notes.get('hauler.dev/key').text
  if (key !== undefined) leaveKey(document.get('metadata', 'name').text ?? 'all images', notes.at, to)
  for (const image of document.get('spec', 'images').items) {
    const name = image.get('name').text
    if (name === undefined) {
      to.problem(image.at, 'an image has no name')
      continue
    }
    if (image.get('local').text === 'true') {
      const why = 'it is in a docker daemon: docker save it, and give docker-archive:<file>'
      to.leaveOut(['local image', 'local images'], name, why, image.at)
      continue
    }
    const own = image.get('platform').text ?? platform
    to.image(
      registry === undefined ? name : below(registry, name),
      image.at,
      own === undefined ? {} : { platforms: [own] },
    )
    if (image.get('key').text !== undefined) leaveKey(name, image.at, to)
    const rewrite = image.get('rewrite').text
    if (rewrite !== undefined) {
      to.leaveOut(
        ['rewritten name', 'rewritten names'],
        `${name} as ${rewrite}`,
        'give import --map for names at the destination',
        image.at,
      )
    }
  }
}

const leaveKey = (name: string, at: Cursor['at'], to: ListingWriter): void =>
  to.leaveOut(
    ['signature to check', 'signatures to check'],
    name,
    'signatures are carried with --referrers; check them with cosign',
    at,
  )

/** Hauler puts it before names that have no registry of their own. */
const below = (registry: string, name: string): string => {
  const first = name.split('/')[0] ?? ''
  return name.includes('/') && /[.:]|^localhost$/.test(first)
    ? name
    : `${registry.replace(/\/+$/, '')}/${name}`
}

function readChart(one: Cursor, to: ListingWriter): void {
  const chart = one.get('chart').kind === 'map' ? one.get('chart') : one
  const name = chart.get('name').text
  const repository = chart.get('repoURL').text
  to.chart({ name, version: chart.get('version').text, repository }, chart.at)
  for (const image of one.get('extraImages').items) to.image(image.get('ref').text ?? image.text, image.at)
  if (chart.get('valuesFiles').items.length > 0) {
    const why = 'give them with --values, so that the chart is rendered with them'
    to.leaveOut(['values of a chart', 'values of charts'], name ?? 'chart', why, chart.at)
  }
}

const readFile = (file: Cursor, to: ListingWriter): void =>
  to.file(file.get('name').text, file.get('path').text, file.at)
