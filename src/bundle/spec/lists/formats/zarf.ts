import type { Cursor } from '../cursor.ts'
import { kindOf, splitOciUrl, type ListFormat } from '../format.ts'
import type { ListingWriter } from '../listing.ts'

/** https://docs.zarf.dev/ref/create/: components with images, charts, files; v1alpha1 and v1beta1, with or without apiVersion. */
export const zarf: ListFormat = {
  name: 'a Zarf package',
  matches: (document) => ['ZarfPackageConfig', 'ZarfInitConfig'].includes(kindOf(document)),
  read(document, to) {
    const architecture = document.get('metadata', 'architecture').text
    const platforms = architecture === undefined || architecture === 'multi' ? [] : [`linux/${architecture}`]
    for (const component of document.get('components').items) readComponent(component, platforms, to)
  },
}

// --- internal ---

const REST: Readonly<Record<string, readonly [string, string]>> = {
  repos: ['git repository', 'git repositories'],
  repositories: ['git repository', 'git repositories'],
  dataInjections: ['data injection', 'data injections'],
  imageArchives: ['image archive', 'image archives'],
}

function readComponent(component: Cursor, platforms: readonly string[], to: ListingWriter): void {
  const group = component.get('name').text
  const facts = { platforms, ...(group === undefined ? {} : { group }) }
  for (const image of component.get('images').items) {
    const name = image.text ?? image.get('name').text
    if (image.get('source').text === 'daemon') {
      const why = 'it is in a docker daemon: docker save it, and give docker-archive:<file>'
      to.leaveOut(['local image', 'local images'], name ?? '', why, image.at)
    } else to.image(name, image.at, facts)
  }
  for (const chart of component.get('charts').items) readChart(chart, group, to)
  for (const file of component.get('files').items) {
    const sha256 = file.get('shasum').text ?? file.get('checksum').text
    to.file(undefined, file.get('source').text, file.at, sha256)
  }
  for (const manifest of component.get('manifests').items) {
    const files = [
      ...manifest.get('files').items,
      ...manifest.get('kustomizations').items,
      ...manifest.get('kustomize', 'files').items,
    ]
    for (const file of files.length === 0 ? [manifest] : files) {
      const why = 'list them below manifests: of a spec, or give them with --spec, and their images are taken'
      to.leaveOut(['manifest', 'manifests'], file.text ?? manifest.get('name').text ?? '', why, file.at)
    }
  }
  for (const [key, what] of Object.entries(REST)) {
    for (const one of component.get(key).items) {
      const name = one.text ?? one.get('path').text ?? one.get('source').text ?? one.get('url').text ?? key
      to.leaveOut(what, name, 'a bundle carries images, charts and files', one.at)
    }
  }
  const imported = component.get('import')
  if (imported.kind === 'map') {
    const name = imported.get('url').text ?? imported.get('path').text ?? imported.get('name').text ?? ''
    to.leaveOut(
      ['imported component', 'imported components'],
      name,
      'give the zarf.yaml it comes from with another --spec',
      imported.at,
    )
  }
}

function readChart(chart: Cursor, group: string | undefined, to: ListingWriter): void {
  const name = chart.get('name').text
  const version = chart.get('version').text ?? chart.get('oci', 'ref', 'tag').text
  const at = group === undefined ? {} : { group }
  const local = chart.get('localPath').text ?? chart.get('local', 'path').text
  if (local !== undefined) {
    to.chart({ name, version, repository: /^\.\.?\//.test(local) ? local : `./${local}`, ...at }, chart.at)
    return
  }
  if (chart.get('gitPath').text !== undefined || chart.get('git').kind === 'map') {
    const why = 'it is in git: clone it, and give its folder with --chart'
    to.leaveOut(['chart in git', 'charts in git'], name ?? '', why, chart.at)
    return
  }
  const url = chart.get('url').text ?? chart.get('oci', 'url').text ?? chart.get('helmRepository', 'url').text
  const split = url?.startsWith('oci://') === true ? splitOciUrl(url) : undefined
  const repoName = chart.get('repoName').text ?? chart.get('helmRepository', 'name').text
  to.chart(
    { name: split?.name ?? repoName ?? name, version, repository: split?.repository ?? url, ...at },
    chart.at,
  )
}
