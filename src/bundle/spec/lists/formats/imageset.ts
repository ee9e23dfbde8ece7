import type { Cursor } from '../cursor.ts'
import { groupOf, kindOf, type ListFormat } from '../format.ts'
import type { ListingWriter } from '../listing.ts'

/** oc-mirror: https://docs.redhat.com/en/documentation/openshift_container_platform/, v1alpha1 to v2alpha1. */
export const imageset: ListFormat = {
  name: 'an ImageSetConfiguration',
  matches: (document) => groupOf(document) === 'mirror.openshift.io',
  read(document, to) {
    if (kindOf(document) === 'DeleteImageSetConfiguration') {
      to.problem(document.at, 'this lists what to delete, not what to carry')
      return
    }
    const mirror = document.get('mirror')
    const blocked = mirror.get('blockedImages').items.flatMap((one) => {
      const pattern = one.get('name').text
      return pattern === undefined ? [] : [{ pattern, at: one.at }]
    })
    for (const image of mirror.get('additionalImages').items) {
      const name = image.get('name').text ?? image.text
      const block = blocked.find(({ pattern }) => name !== undefined && matches(pattern, name))
      if (block !== undefined) {
        to.leaveOut(
          ['blocked image', 'blocked images'],
          name ?? '',
          `blockedImages says so: ${block.pattern}`,
          image.at,
        )
      } else readImage(name, image, to)
    }
    for (const repository of mirror.get('helm', 'repositories').items) readRepository(repository, to)
    for (const chart of mirror.get('helm', 'local').items) {
      const why = 'give its path with --chart'
      to.leaveOut(
        ['local chart', 'local charts'],
        chart.get('path').text ?? chart.get('name').text ?? '',
        why,
        chart.at,
      )
    }
    for (const one of mirror.get('operators').items) {
      const why = 'its images stand in the catalog image: list them as additionalImages'
      to.leaveOut(['operator catalog', 'operator catalogs'], one.get('catalog').text ?? '', why, one.at)
    }
    for (const one of mirror.get('platform', 'channels').items) {
      const why = 'a release is mirrored by oc adm release mirror'
      to.leaveOut(['OpenShift release', 'OpenShift releases'], one.get('name').text ?? '', why, one.at)
    }
  },
}

// --- internal ---

function readImage(name: string | undefined, image: Cursor, to: ListingWriter): void {
  const platforms = image.get('platforms').items.flatMap((one) => {
    const [os, architecture] = [one.get('os').text ?? 'linux', one.get('architecture').text]
    return one.text ?? (architecture === undefined ? [] : `${os}/${architecture}`)
  })
  to.image(name, image.at, { platforms })
  const target = [image.get('targetRepo').text, image.get('targetTag').text].filter(
    (part) => part !== undefined,
  )
  if (target.length > 0) {
    const why = 'give import --map for names at the destination'
    to.leaveOut(
      ['name at the destination', 'names at the destination'],
      `${name ?? ''} as ${target.join(':')}`,
      why,
      image.at,
    )
  }
}

function readRepository(repository: Cursor, to: ListingWriter): void {
  const url = repository.get('url').text
  for (const chart of repository.get('charts').items) {
    to.chart({ name: chart.get('name').text, version: chart.get('version').text, repository: url }, chart.at)
  }
}

/** A regular expression of theirs; one that is none fits its own text only. */
function matches(pattern: string, name: string): boolean {
  if (pattern.length > 200 || /[+*}]\)?[+*{]/.test(pattern)) return pattern === name
  try {
    return new RegExp(pattern).test(name)
  } catch {
    return pattern === name
  }
}
