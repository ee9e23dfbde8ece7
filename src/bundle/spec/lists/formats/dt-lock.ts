import { kindOf, type ListFormat } from '../format.ts'

/** https://github.com/vmware-labs/distribution-tooling-for-helm: tags, with the digests of their platforms. */
export const dtLock: ListFormat = {
  name: 'an Images.lock',
  matches: (document) =>
    kindOf(document) === 'ImagesLock' && /^v\d+$/.test(document.get('apiVersion').text ?? ''),
  read(document, to) {
    for (const image of document.get('images').items) {
      const platforms = image.get('digests').items.flatMap((one) => one.get('arch').text ?? [])
      to.image(image.get('image').text, image.at, { platforms })
    }
  },
}
