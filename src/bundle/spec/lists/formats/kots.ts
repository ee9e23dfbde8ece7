import { groupOf, kindOf, type ListFormat } from '../format.ts'

/** https://docs.replicated.com/reference/custom-resource-about: images beside an application's manifests and charts. */
export const kots: ListFormat = {
  name: 'a KOTS file',
  matches: (document) => groupOf(document) === 'kots.io',
  read(document, to) {
    const spec = document.get('spec')
    for (const image of [...spec.get('additionalImages').items, ...spec.get('savedImages').items])
      to.image(image.text, image.at)
    if (kindOf(document) !== 'HelmChart') return
    const name = spec.get('chart', 'name').text ?? ''
    const why = 'its package lies beside it: give it with --chart'
    to.leaveOut(['packaged chart', 'packaged charts'], name, why, document.at)
  },
}
