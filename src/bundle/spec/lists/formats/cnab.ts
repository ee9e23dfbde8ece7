import type { Cursor } from '../cursor.ts'
import type { ListFormat } from '../format.ts'
import type { ListingWriter } from '../listing.ts'

/** bundle.json: https://github.com/cnabio/cnab-spec/blob/main/101-bundle-json.md */
export const cnab: ListFormat = {
  name: 'a CNAB bundle',
  matches: (document) =>
    document.get('schemaVersion').kind === 'text' && document.get('invocationImages').kind === 'list',
  read(document, to) {
    for (const image of document.get('invocationImages').items) readImage(image, to)
    for (const [, image] of document.get('images').entries) readImage(image, to)
  },
}

// --- internal ---

function readImage(image: Cursor, to: ListingWriter): void {
  const name = image.get('image').text
  const digest = image.get('contentDigest').text
  to.image(digest === undefined || name?.includes('@') === true ? name : `${name ?? ''}@${digest}`, image.at)
}
