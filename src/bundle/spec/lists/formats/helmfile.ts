import type { Cursor } from '../cursor.ts'
import type { ListFormat } from '../format.ts'
import type { ListingWriter } from '../listing.ts'

/** https://helmfile.readthedocs.io/: releases, their charts in named repositories. Nothing of its templates is run. */
export const helmfile: ListFormat = {
  name: 'a helmfile',
  matches: (document) =>
    document.get('helmfiles').kind === 'list' ||
    (document.get('releases').kind === 'list' &&
      document.get('releases').items.every((one) => one.get('chart').text !== undefined)),
  read(document, to) {
    const repositories = new Map(
      document.get('repositories').items.map((one) => {
        const url = one.get('url').text ?? ''
        const isOci = one.get('oci').text === 'true' && !url.includes('://')
        return [one.get('name').text ?? '', isOci ? `oci://${url}` : url]
      }),
    )
    for (const release of document.get('releases').items) readRelease(release, repositories, to)
    for (const one of [...document.get('helmfiles').items, ...document.get('bases').items]) {
      to.leaveOut(
        ['helmfile', 'helmfiles'],
        one.text ?? one.get('path').text ?? '',
        'give it with another --spec',
        one.at,
      )
    }
  },
}

// --- internal ---

function readRelease(release: Cursor, repositories: ReadonlyMap<string, string>, to: ListingWriter): void {
  const chart = release.get('chart').text ?? ''
  const version = release.get('version').text
  const name = release.get('name').text ?? chart
  if (/^(?:git::|git@|https?:\/\/.*\.tgz$)/.test(chart)) {
    const why = 'fetch it, and give its folder or package with --chart'
    return to.leaveOut(['chart by address', 'charts by address'], chart, why, release.at)
  }
  for (const key of ['values', 'set']) {
    if (release.get(key).items.length > 0) {
      const why = 'give them with --values, so that the chart is rendered with them'
      to.leaveOut(['values of a release', 'values of releases'], name, why, release.get(key).at)
      break
    }
  }
  if (/^\.\.?\//.test(chart)) {
    const why = 'give its folder with --chart'
    return to.leaveOut(['local chart', 'local charts'], chart, why, release.at)
  }
  const slash = chart.lastIndexOf('/')
  const prefix = chart.slice(0, Math.max(slash, 0))
  const repository = chart.startsWith('oci://') ? prefix : repositories.get(prefix)
  if (repository === undefined)
    return to.problem(release.at, `the chart ${chart} is of no repository that is listed here`)
  to.chart({ name: chart.slice(slash + 1), version, repository }, release.at)
}
