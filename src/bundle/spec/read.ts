import { repositoryAlias } from '../../helm/repositories-file.ts'
import { resolve as resolvePath } from 'node:path'
import { parseDigest } from '../../oci/digest.ts'
import { parsePlatform, type Platform } from '../../oci/platform.ts'
import { parseReference, type Reference } from '../../oci/reference.ts'
import { usageError } from '../../lib/errors.ts'
import { parseImageFile } from './local/image-file.ts'
import { parseMirrors } from '../../registry/mirror.ts'
import { readBindings, readConsumer, readHints } from './read-bindings.ts'
import type { BundleSpec, SpecChart, SpecFile, SpecGroup, SpecImage, SpecManifest } from './model.ts'
import { entries, expected, fields, isMapping, items, problem, type YamlNode } from './yaml-reader.ts'
import { flag, matching, oneOf, parsed, size, text } from './yaml-values.ts'

export const API_VERSION = 'ma-bundle/v1'

/** Reads the file's own format. What is wrong is noted; the result counts only when nothing was. */
export function readBundleSpec(root: YamlNode): BundleSpec {
  const top = fields(root, TOP)
  oneOf(top?.need('apiVersion'), [API_VERSION])
  oneOf(top?.need('kind'), ['BundleSpec'])
  const groups = items(top?.need('groups'), 'groups').map(readGroup)
  const description = text(top?.get('description'), 'a description')
  const platforms = readPlatforms(top?.get('platforms'))
  const charts = groups.flatMap((group) => group.charts)
  const consumer = readConsumer(top?.get('consumer'), charts)
  const version = matching(top?.need('version'), VERSION, 'a version, as in "3.3.6"')
  const spec: BundleSpec = {
    name: matching(top?.need('name'), NAME, NAME_RULE) ?? '',
    ...(version === undefined ? {} : { version }),
    ...(description === undefined ? {} : { description }),
    ...(platforms === undefined ? {} : { platforms }),
    mirrors: new Map(entries(top?.get('mirrors'), 'lists of mirrors by registry').map(readMirrors)),
    groups,
    bindings: readBindings(top?.get('bindings'), charts),
    hints: readHints(top?.get('hints'), charts, consumer),
    ...(consumer === undefined ? {} : { consumer }),
  }
  checkNames(top?.get('groups') ?? root, spec)
  return spec
}

/** The parts of a chart, checked; shared with the list format, where all stand in one text. */
export function checkChart(chart: SpecChart, at: (part: keyof SpecChart) => YamlNode): SpecChart | undefined {
  const faults = (['name', 'version', 'repository'] as const)
    .map((part) => [part, chartPartFault(part, chart[part])] as const)
    .filter(([, rule]) => rule !== undefined)
  for (const [part, rule] of faults)
    problem(at(part), `found the chart ${part} "${chart[part]}", expected ${rule}`)
  if (faults.length > 0) return undefined
  const { folder } = at('repository').file
  if (!isLocal(chart.repository) || folder === undefined) return chart
  return { ...chart, local: resolvePath(folder, chart.repository) }
}

/** What a part of a chart has to be; undefined when it is. */
export function chartPartFault(part: 'name' | 'version' | 'repository', text: string): string | undefined {
  if (part === 'repository') return repositoryFault(text)
  if (part === 'name') return CHART_NAME.test(text) ? undefined : CHART_NAME_RULE
  return CHART_VERSION.test(text) ? undefined : CHART_VERSION_RULE
}

/** A chart or file that lies beside the spec; an absolute path would be one machine's. */
export const isLocal = (address: string): boolean => /^\.\.?(?:\/|$)/.test(address)

// --- internal ---

const TOP = [
  'apiVersion',
  'kind',
  'name',
  'version',
  'description',
  'platforms',
  'mirrors',
  'groups',
  'bindings',
  'hints',
  'consumer',
]
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$/
const NAME_RULE = 'a name of letters, digits, . _ and -'
const VERSION = /^[a-zA-Z0-9][a-zA-Z0-9._+-]{0,99}$/
// A chart's name is the last part of a repository's name, which has no capitals.
const CHART_NAME = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*$/
const CHART_NAME_RULE = 'lower-case letters, digits, . _ and -'
const CHART_VERSION_RULE = 'an exact version, for example 1.17.2'
const CHART_VERSION = /^v?\d+(?:\.\d+){0,2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/

function readGroup(place: YamlNode): SpecGroup {
  const group = fields(place, ['name', 'description', 'optional', 'charts', 'images', 'files', 'manifests'])
  const description = text(group?.get('description'), 'a description')
  const manifests = items(group?.get('manifests'), 'manifests').flatMap((one) => readManifest(one) ?? [])
  return {
    name: matching(group?.need('name'), NAME, NAME_RULE) ?? '',
    ...(description === undefined ? {} : { description }),
    optional: flag(group?.get('optional')) ?? false,
    charts: items(group?.get('charts'), 'charts').flatMap((chart) => readChart(chart) ?? []),
    images: items(group?.get('images'), 'images').flatMap((image) => readImage(image) ?? []),
    files: items(group?.get('files'), 'files').flatMap((file) => readFile(file) ?? []),
    ...(manifests.length === 0 ? {} : { manifests }),
  }
}

function readChart(place: YamlNode): SpecChart | undefined {
  const chart = fields(place, ['name', 'version', 'repository', 'key'])
  const name = text(chart?.need('name'), 'a chart name')
  const version = text(chart?.need('version'), 'a chart version')
  const repository = text(chart?.need('repository'), 'https://…, oci://… or ./path')
  const key = text(chart?.get('key'), 'the chart’s key in the consumer chart')
  if (name === undefined || version === undefined || repository === undefined) return undefined
  return checkChart({ name, version, repository, key: key ?? name }, (part) => chart?.get(part) ?? place)
}

function repositoryFault(repository: string): string | undefined {
  if (isLocal(repository) || repositoryAlias(repository) !== undefined) return undefined
  const url = URL.canParse(repository) ? new URL(repository) : undefined
  if (url === undefined || !['http:', 'https:', 'oci:'].includes(url.protocol) || url.host === '') {
    return 'https://…, oci://…, ./path or @name of a repository that helm knows'
  }
  const isSecret = [...url.searchParams.keys()].some((key) => SECRET.test(key))
  // The spec travels in the bundle as it was written.
  return url.username === '' && url.password === '' && !isSecret
    ? undefined
    : 'an address without credentials, for the list travels in the bundle: let helm keep them (helm repo add <name> <address>), and write the address without them'
}

function readImage(place: YamlNode): SpecImage | undefined {
  if (!isMapping(place)) {
    const named = parsed(place, 'an image reference or a mapping', (written) => sourceOf(written, place))
    return named === undefined ? undefined : { ...named, allowMissingPlatforms: false }
  }
  const image = fields(place, ['reference', 'platforms', 'allowMissingPlatforms', 'as'])
  const as = parsed(image?.get('as'), 'an image reference', parseReference)
  const named = parsed(image?.need('reference'), 'an image reference', (written) =>
    sourceOf(written, place, as),
  )
  const platforms = readPlatforms(image?.get('platforms'))
  const allowMissingPlatforms = flag(image?.get('allowMissingPlatforms')) ?? false
  if (named === undefined) return undefined
  return {
    ...named,
    ...(platforms === undefined ? {} : { platforms }),
    allowMissingPlatforms,
    ...(as === undefined || named.file !== undefined ? {} : { as }),
  }
}

/**
 * A reference, or an image in a file under the name that others know it by.
 * @throws a usage error for a file whose image has no such name
 */
function sourceOf(
  written: string,
  { file: { folder } }: YamlNode,
  as?: Reference,
): Pick<SpecImage, 'reference' | 'file'> {
  const file = parseImageFile(written, folder)
  if (file === undefined) return { reference: parseReference(written) }
  if (as !== undefined) return { reference: as, file }
  if (file.name !== undefined) return { reference: parseReference(file.name), file }
  throw usageError(`"${written}" does not say what its image is called`, {
    next: 'write { reference: docker-archive:./app.tar, as: quay.io/team/app:1 }',
  })
}

function readPlatforms(place: YamlNode | undefined): readonly Platform[] | undefined {
  if (place === undefined) return undefined
  const platforms = items(place, 'platforms').flatMap(
    (item) => parsed(item, 'os/architecture', parsePlatform) ?? [],
  )
  if (items(place, 'platforms').length === 0) expected(place, 'at least one platform, as in linux/amd64')
  return platforms
}

function readFile(place: YamlNode): SpecFile | undefined {
  const file = fields(place, ['name', 'url', 'sha256', 'size'])
  const name = matching(file?.need('name'), NAME, 'a file name without folders')
  const url = matching(file?.need('url'), FILE_URL, 'https://… without credentials')
  const digest = parsed(file?.get('sha256'), '64 hex digits', (hex) =>
    parseDigest(hex.startsWith('sha256:') ? hex : `sha256:${hex}`),
  )
  const bytes = size(file?.get('size'))
  if (name === undefined || url === undefined) return undefined
  return {
    name,
    url,
    ...(digest === undefined ? {} : { digest }),
    ...(bytes === undefined ? {} : { size: bytes }),
  }
}

/** A path beside the spec, or what one was read to. */
function readManifest(place: YamlNode): SpecManifest | undefined {
  if (!isMapping(place)) {
    const path = matching(place, /^\.{0,2}[^/\s].*$|^\.\.?\//, 'a path beside the spec')
    if (path === undefined) return undefined
    const { folder } = place.file
    return { path, ...(folder === undefined ? {} : { local: resolvePath(folder, path) }) }
  }
  const manifest = fields(place, ['name', 'content'])
  const path = matching(manifest?.need('name'), NAME, 'a file name without folders')
  const content = text(manifest?.need('content'), 'what it holds')
  return path === undefined || content === undefined ? undefined : { path, text: content }
}

function readMirrors([origin, place]: readonly [string, YamlNode]): [string, readonly string[]] {
  const places = items(place, 'mirrors').flatMap(
    (item) => parsed(item, 'host or host/path', (text) => mirrorsOf(origin, text)) ?? [],
  )
  return [origin, places]
}

/** One mirror, checked as `--mirror` checks it. */
const mirrorsOf = (origin: string, text: string): readonly string[] =>
  [...parseMirrors([`${origin}=${text}`]).values()].flat()

/** Names that must differ: of groups, of files, of the keys a consumer knows charts by. */
function checkNames(place: YamlNode, spec: BundleSpec): void {
  const twice = (what: string, names: readonly string[]): void => {
    for (const name of new Set(names.filter((name, at) => names.indexOf(name) !== at))) {
      problem(place, `two ${what} are called "${name}"`)
    }
  }
  twice(
    'groups',
    spec.groups.map((group) => group.name),
  )
  const files = new Map(
    spec.groups.flatMap((group) => group.files.map((file) => [`${file.name} ${file.url}`, file])),
  )
  twice(
    'files',
    [...files.values()].map((file) => file.name),
  )
  if (spec.consumer === undefined) return
  const charts = new Map(
    spec.groups.flatMap((group) =>
      group.charts.map((chart) => [`${chart.name} ${chart.version} ${chart.key}`, chart]),
    ),
  )
  twice(
    'chart keys',
    [...charts.values()].map((chart) => chart.key),
  )
}

/** Parameters of presigned URLs and of chart repositories that take a token in the query. */
const FILE_URL = /^https?:\/\/[^\s@/?#]+(?:[/?#]\S*)?$/
const SECRET = /token|sig(?:nature)?$|credential|passw|secret|api-?key|auth/i
