import { yamlText } from '../../../lib/text/yaml.ts'
import { hexOf } from '../../../oci/digest.ts'
import { formatPlatform } from '../../../oci/platform.ts'
import { formatReference } from '../../../oci/reference.ts'
import { isLocal } from '../read.ts'
import type { BundleSpec, SpecChart, SpecFile, SpecGroup, SpecImage } from '../spec.ts'

/** The lists of others that a spec can be written as. */
export const LIST_FORMATS = ['text', 'hauler', 'zarf'] as const
export type ListFormatName = (typeof LIST_FORMATS)[number]

export interface WrittenList {
  readonly text: string
  /** What such a list cannot say, each with its name. */
  readonly lost: readonly string[]
}

/** A spec as a list of another tool, which it reads as its own. */
export const writeList = (format: ListFormatName, spec: BundleSpec): WrittenList =>
  ({ text: writeText, hauler: writeHauler, zarf: writeZarf })[format](spec)

// --- internal ---

const imagesIn = (groups: readonly SpecGroup[]): readonly SpecImage[] => [
  ...new Map(groups.flatMap(({ images }) => images.map((image) => [sourceName(image), image]))).values(),
]
const chartsIn = (groups: readonly SpecGroup[]): readonly SpecChart[] =>
  groups.flatMap(({ charts }) => charts)
const filesIn = (groups: readonly SpecGroup[]): readonly SpecFile[] => groups.flatMap(({ files }) => files)

const sourceName = ({ reference }: SpecImage): string => formatReference(reference)

/** What only this machine has, or only our own spec can say. */
function beyond(images: readonly SpecImage[], charts: readonly SpecChart[]): readonly string[] {
  return [
    ...images
      .filter(({ file }) => file !== undefined)
      .map((image) => `${sourceName(image)} comes from a file`),
    ...images.flatMap((image) =>
      image.as === undefined ? [] : [`${sourceName(image)} is known as ${formatReference(image.as)}`],
    ),
    ...charts
      .filter(({ repository }) => isLocal(repository))
      .map(({ name, repository }) => `the chart ${name} lies in ${repository}`),
  ]
}

const remote = (charts: readonly SpecChart[]): readonly SpecChart[] =>
  charts.filter(({ repository }) => !isLocal(repository))

/** One image a line; charts and files only as comments, which nobody reads but people. */
function writeText({ groups }: BundleSpec): WrittenList {
  const [images, charts, files] = [imagesIn(groups), chartsIn(groups), filesIn(groups)]
  const lines = [
    ...images.map(sourceName),
    ...charts.map(({ name, version, repository }) => `# chart ${name} ${version} ${repository}`),
    ...files.map(({ name, url }) => `# file ${name} ${url}`),
  ]
  const lost = [
    ...beyond(images, []),
    ...images.flatMap((image) =>
      image.platforms === undefined
        ? []
        : [`${sourceName(image)} is for ${image.platforms.map(formatPlatform).join(', ')}`],
    ),
    ...charts.map(({ name, version }) => `the chart ${name} ${version} is a comment`),
    ...files.map(({ name }) => `the file ${name} is a comment`),
  ]
  return { text: lines.map((line) => `${line}\n`).join(''), lost }
}

const document = (value: unknown): string => yamlText(value, { lineWidth: 0, aliasDuplicateObjects: false })

/** https://docs.hauler.dev/: a document a kind; an item has one platform. */
function writeHauler({ name, groups }: BundleSpec): WrittenList {
  const [images, charts, files] = [imagesIn(groups), chartsIn(groups), filesIn(groups)]
  const of = (kind: string, spec: object): object => ({
    apiVersion: 'content.hauler.cattle.io/v1',
    kind,
    metadata: { name: plainName(name) },
    spec,
  })
  const items = images.flatMap((image) =>
    image.platforms === undefined
      ? [{ name: sourceName(image) }]
      : image.platforms.map((platform) => ({ name: sourceName(image), platform: formatPlatform(platform) })),
  )
  const documents = [
    ...(items.length === 0 ? [] : [of('Images', { images: items })]),
    ...(remote(charts).length === 0
      ? []
      : [
          of('Charts', {
            charts: remote(charts).map((chart) => ({
              name: chart.name,
              repoURL: chart.repository,
              version: chart.version,
            })),
          }),
        ]),
    ...(files.length === 0
      ? []
      : [of('Files', { files: files.map((file) => ({ path: file.url, name: file.name })) })]),
  ]
  const lost = [
    ...beyond(images, charts),
    ...files.flatMap((file) => (file.digest === undefined ? [] : [`the sha256 of ${file.name}`])),
  ]
  return { text: documents.map(document).join('---\n'), lost }
}

/** https://docs.zarf.dev/ref/components/: a component a group; an OCI chart is named whole. */
function writeZarf({ name, version, groups }: BundleSpec): WrittenList {
  const components = groups.map((group) => ({
    name: plainName(group.name),
    ...(group.description === undefined ? {} : { description: group.description }),
    required: !group.optional,
    ...some(
      'charts',
      remote(group.charts).map((chart) => ({
        name: chart.name,
        version: chart.version,
        namespace: chart.name,
        url: chart.repository.startsWith('oci://')
          ? `${chart.repository.replace(/\/+$/, '')}/${chart.name}`
          : chart.repository,
      })),
    ),
    ...some('images', group.images.map(sourceName)),
    ...some(
      'files',
      group.files.map((file) => ({
        source: file.url,
        target: file.name,
        ...(file.digest === undefined ? {} : { shasum: hexOf(file.digest) }),
      })),
    ),
  }))
  const images = imagesIn(groups)
  const lost = [
    ...beyond(images, chartsIn(groups)),
    ...images.flatMap((image) =>
      image.platforms === undefined
        ? []
        : [
            `${sourceName(image)} is for ${image.platforms.map(formatPlatform).join(', ')}: a package has one architecture`,
          ],
    ),
  ]
  const metadata = { name: plainName(name), ...(version === undefined ? {} : { version }) }
  return {
    text: document({ apiVersion: 'zarf.dev/v1alpha1', kind: 'ZarfPackageConfig', metadata, components }),
    lost,
  }
}

const some = (key: string, list: readonly unknown[]) => (list.length === 0 ? {} : { [key]: list })

/** As Kubernetes names things. */
const plainName = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63) || 'bundle'
