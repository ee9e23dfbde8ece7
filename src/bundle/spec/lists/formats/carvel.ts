import { groupOf, kindOf, type ListFormat } from '../format.ts'

/** https://carvel.dev/imgpkg/docs/: every image by digest; kbld notes the name it was known by. */
export const imgpkg: ListFormat = {
  name: 'an imgpkg lock',
  matches: (document) => groupOf(document) === 'imgpkg.carvel.dev',
  read(document, to) {
    for (const image of document.get('images').items) {
      const id = image.get('annotations', 'kbld.carvel.dev/id').text
      to.image(image.get('image').text, image.at, id === undefined ? {} : { as: id })
    }
    if (kindOf(document) !== 'BundleLock') return
    const bundle = document.get('bundle')
    const why = 'its own .imgpkg/images.yml names the images: imgpkg pull it, and give that file with --spec'
    to.leaveOut(['imgpkg bundle', 'imgpkg bundles'], bundle.get('image').text ?? '', why, bundle.at)
  },
}

/** https://carvel.dev/kbld/docs/: what an image is replaced by. */
export const kbld: ListFormat = {
  name: 'a kbld file',
  matches: (document) => groupOf(document) === 'kbld.k14s.io',
  read(document, to) {
    for (const one of document.get('overrides').items) {
      const from = one.get('image').text ?? one.get('imageRepo').text
      to.image(one.get('newImage').text, one.at, from === undefined || !/[:@]/.test(from) ? {} : { as: from })
    }
    for (const one of document.get('sources').items) {
      const why = 'it is built from source: build it, and give docker-archive:<file>'
      to.leaveOut(['image to build', 'images to build'], one.get('image').text ?? '', why, one.at)
    }
  },
}
