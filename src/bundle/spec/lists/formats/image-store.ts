import type { ListFormat } from '../format.ts'

/** `crictl images -o json`: what a node has. */
export const crictl: ListFormat = {
  name: 'a list of crictl images',
  matches: (document) => {
    const images = document.get('images').items
    return (
      images.length > 0 &&
      images.every((one) => one.get('repoTags').kind !== 'none' || one.get('repoDigests').kind !== 'none')
    )
  },
  read(document, to) {
    for (const image of document.get('images').items) {
      const [tag] = image.get('repoTags').items
      const [digest] = image.get('repoDigests').items
      const named = tag ?? digest
      if (named?.text !== undefined) to.image(named.text, named.at)
      else {
        const why = 'it has no name; an ID cannot be pulled'
        to.leaveOut(
          ['image without a name', 'images without a name'],
          image.get('id').text ?? '',
          why,
          image.at,
        )
      }
    }
  },
}

/** One object of `docker images --format json`, or a list of them. */
export const dockerImages: ListFormat = {
  name: 'a list of docker images',
  matches: (document) => {
    const [first, ...rest] = document.kind === 'list' ? document.items : [document]
    return (
      first !== undefined &&
      [first, ...rest].every((one) => one.get('Repository').kind === 'text' && one.get('Tag').kind === 'text')
    )
  },
  read(document, to) {
    for (const one of document.kind === 'list' ? document.items : [document]) {
      const [name, tag, digest] = ['Repository', 'Tag', 'Digest'].map((key) => one.get(key).text ?? '<none>')
      if (name === '<none>' || (tag === '<none>' && digest === '<none>')) {
        const why = 'it has no name; an ID cannot be pulled'
        to.leaveOut(['image without a name', 'images without a name'], one.get('ID').text ?? '', why, one.at)
      } else to.image(tag === '<none>' ? `${name}@${digest}` : `${name}:${tag}`, one.at)
    }
  },
}
