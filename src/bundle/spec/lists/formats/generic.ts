import type { Cursor } from '../cursor.ts'
import type { ListFormat } from '../format.ts'
import type { ListingWriter } from '../listing.ts'

/** `images:` of texts or of `{name|image|reference}`, also kubeadm's, with `charts:` of `name|version|repository`. */
export const imageList: ListFormat = {
  name: 'a list of images',
  matches: (document) => {
    const images = document.get('images')
    const keys = document.entries.map(([key]) => key)
    return (
      keys.every((key) => KEYS.includes(key)) &&
      (images.kind === 'list' || document.get('charts').kind === 'list')
    )
  },
  read(document, to) {
    for (const image of document.get('images').items) readImage(image, to)
    for (const chart of document.get('charts').items) readChart(chart, to)
    for (const file of document.get('files').items)
      to.file(file.get('name').text, file.get('url').text ?? file.text, file.at, file.get('sha256').text)
  },
}

/** A bare list. */
export const bareList: ListFormat = {
  name: 'a list of images',
  matches: (document) =>
    document.kind === 'list' &&
    document.items.length > 0 &&
    document.items.every((one) => nameOf(one) !== undefined),
  read(document, to) {
    for (const image of document.items) readImage(image, to)
  },
}

// --- internal ---

const KEYS = ['images', 'charts', 'files', 'apiVersion', 'kind', 'name', 'version', 'metadata']
const NAMES = ['reference', 'image', 'name', 'ref', 'source', 'repository']

/** The reference of an item, with a tag or digest that stands beside it. */
function nameOf(item: Cursor): string | undefined {
  const name = item.text ?? NAMES.map((key) => item.get(key).text).find((text) => text !== undefined)
  if (name === undefined || item.kind === 'text') return name
  const [tag, digest, registry] = ['tag', 'digest', 'registry'].map((key) => item.get(key).text)
  const isWhole = /:[^/]*$|@/.test(name)
  const whole = registry === undefined || name.startsWith(`${registry}/`) ? name : `${registry}/${name}`
  if (isWhole) return whole
  return whole + (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`)
}

function readImage(item: Cursor, to: ListingWriter): void {
  const own = item.get('platform').text
  const platforms = own === undefined ? item.get('platforms').items.flatMap(({ text }) => text ?? []) : [own]
  const as = item.get('as').text
  to.image(nameOf(item), item.at, { platforms, ...(as === undefined ? {} : { as }) })
}

function readChart(item: Cursor, to: ListingWriter): void {
  if (item.text !== undefined) {
    const [name, version, repository] = item.text.split('|').map((part) => part.trim())
    return to.chart({ name, version, repository }, item.at)
  }
  const repository = item.get('repository').text ?? item.get('repoURL').text ?? item.get('url').text
  to.chart(
    { name: item.get('name').text ?? item.get('chart').text, version: item.get('version').text, repository },
    item.at,
  )
}
