import { kindOf, type ListFormat } from '../format.ts'

/** https://uds.defenseunicorns.com/: names Zarf packages, whose images only the packages themselves know. */
export const uds: ListFormat = {
  name: 'a UDS bundle',
  matches: (document) => kindOf(document) === 'UDSBundle',
  read(document, to) {
    for (const one of document.get('packages').items) {
      const name = one.get('name').text ?? ''
      const source = one.get('repository').text ?? one.get('path').text ?? name
      const why = `a bundle of packages names no images: give each package's own list, as in zarf package inspect images oci://<package> | ma-bundle export <bundle> --spec -`
      to.leaveOut(
        ['Zarf package', 'Zarf packages'],
        `${source}:${one.get('ref').text ?? ''}`.replace(/:$/, ''),
        why,
        one.at,
      )
    }
  },
}
