import { splitOciUrl } from '../format.ts'
import type { ListingWriter } from '../listing.ts'
import { nameOf } from './images.ts'
import { listAt, textAt, valueAt, type KubeObject } from './object.ts'

/**
 * The charts that an object has installed, and the images it puts in place of others: Flux, Argo CD, k3s.
 * @param all every object there is: a release names the repository by name
 */
export function readCharts(object: KubeObject, all: readonly KubeObject[], to: ListingWriter): void {
  READERS[keyOf(object)]?.(object, all, to)
}

/** Whether all that an object names is read here: its addresses are of charts, and its values are the chart's. */
export const namesCharts = (object: KubeObject): boolean => READERS[keyOf(object)] !== undefined

// --- internal ---

const keyOf = ({ group, kind }: KubeObject): string => `${group}/${kind}`

type Reader = (object: KubeObject, all: readonly KubeObject[], to: ListingWriter) => void

const READERS: Readonly<Record<string, Reader>> = {
  'helm.toolkit.fluxcd.io/HelmRelease': readRelease,
  'source.toolkit.fluxcd.io/HelmChart': (object, all, to) =>
    readSourced(object, valueAt(object.object, 'spec'), all, to),
  'kustomize.toolkit.fluxcd.io/Kustomization': (object, _, to) => {
    for (const image of listAt(object.object, 'spec', 'images')) readReplacement(image, object, to)
  },
  'argoproj.io/Application': readApplication,
  'helm.cattle.io/HelmChart': (object, _, to) => {
    const spec = valueAt(object.object, 'spec')
    add(object, textAt(spec, 'chart'), textAt(spec, 'version'), textAt(spec, 'repo'), to)
  },
}

const CHART: readonly [string, string] = ['chart', 'charts']

function readRelease(object: KubeObject, all: readonly KubeObject[], to: ListingWriter): void {
  const spec = valueAt(object.object, 'spec')
  const inline = valueAt(spec, 'chart', 'spec')
  if (inline !== undefined) readSourced(object, inline, all, to)
  const reference = valueAt(spec, 'chartRef')
  if (reference !== undefined) {
    const source = find(reference, object, all)
    if (source === undefined) leaveSource(object, reference, to)
    else if (source.kind === 'OCIRepository') readOciRepository(source, to)
    else if (source.kind === 'HelmChart') readSourced(source, valueAt(source.object, 'spec'), all, to)
  }
  if (valueAt(spec, 'values') !== undefined || listAt(spec, 'valuesFrom').length > 0) {
    const why = 'give them with --values <chart>=<file>, so that the chart is rendered with them'
    to.leaveOut(['values of a release', 'values of releases'], nameOf(object), why, object.at)
  }
  for (const renderer of listAt(spec, 'postRenderers'))
    for (const image of listAt(renderer, 'kustomize', 'images')) readReplacement(image, object, to)
}

/** `chart`, `version` and the source they are in. */
function readSourced(object: KubeObject, spec: unknown, all: readonly KubeObject[], to: ListingWriter): void {
  const name = textAt(spec, 'chart')
  const reference = valueAt(spec, 'sourceRef')
  const source = find(reference, object, all)
  if (source === undefined) return leaveSource(object, reference, to)
  if (source.kind !== 'HelmRepository') {
    const why = `it is in a ${source.kind}: give its folder with --chart`
    return to.leaveOut(CHART, `${name ?? ''} of ${nameOf(object)}`, why, object.at)
  }
  add(object, name, textAt(spec, 'version'), textAt(source.object, 'spec', 'url'), to)
}

function readOciRepository(source: KubeObject, to: ListingWriter): void {
  const split = splitOciUrl(textAt(source.object, 'spec', 'url') ?? '')
  const version =
    textAt(source.object, 'spec', 'ref', 'tag') ?? textAt(source.object, 'spec', 'ref', 'semver')
  add(source, split?.name, version, split?.repository, to)
}

function find(
  reference: unknown,
  { namespace }: KubeObject,
  all: readonly KubeObject[],
): KubeObject | undefined {
  const kind = textAt(reference, 'kind')
  const name = textAt(reference, 'name')
  const wanted = textAt(reference, 'namespace') ?? namespace
  const named = all.filter((one) => one.kind === kind && one.name === name)
  return named.find((one) => one.namespace === wanted) ?? named[0]
}

const leaveSource = (object: KubeObject, reference: unknown, to: ListingWriter): void => {
  const source = `${textAt(reference, 'kind') ?? 'source'} ${textAt(reference, 'name') ?? ''}`.trim()
  to.leaveOut(
    CHART,
    nameOf(object),
    `its ${source} is not here: give the file it is in with another --spec`,
    object.at,
  )
}

function readApplication(object: KubeObject, _: readonly KubeObject[], to: ListingWriter): void {
  const spec = valueAt(object.object, 'spec')
  const sources = [
    valueAt(spec, 'source'),
    ...listAt(spec, 'sources'),
    valueAt(spec, 'sourceHydrator', 'drySource'),
  ]
  for (const source of sources.filter((one) => one !== undefined)) {
    const url = textAt(source, 'repoURL') ?? ''
    const chart = textAt(source, 'chart')
    const version = textAt(source, 'targetRevision')
    if (chart !== undefined) {
      add(object, chart, version, url.includes('://') ? url : `oci://${url}`, to)
    } else if (url.startsWith('oci://')) {
      const split = splitOciUrl(url)
      add(object, split?.name, version, split?.repository, to)
    } else {
      const why = 'its manifests are in git: give what argocd app manifests prints with --spec -'
      to.leaveOut(['application in git', 'applications in git'], nameOf(object), why, object.at)
    }
    if (valueAt(source, 'helm') !== undefined) {
      const why = 'give them with --values <chart>=<file>, so that the chart is rendered with them'
      to.leaveOut(['values of a release', 'values of releases'], nameOf(object), why, object.at)
    }
    for (const image of listAt(source, 'kustomize', 'images'))
      if (typeof image === 'string') to.image(image.split('=').at(-1), object.at)
  }
  for (const image of listAt(object.object, 'status', 'summary', 'images'))
    if (typeof image === 'string') to.image(image, object.at)
}

/** Kustomize's form: `name`, `newName`, `newTag`, `digest`. */
function readReplacement(image: unknown, object: KubeObject, to: ListingWriter): void {
  const name = textAt(image, 'newName') ?? textAt(image, 'name')
  const [tag, digest] = [textAt(image, 'newTag'), textAt(image, 'digest')]
  // Without either, the version is that of the manifest it replaces in.
  if (name === undefined || (tag === undefined && digest === undefined)) return
  to.image(
    `${name}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`,
    object.at,
  )
}

function add(
  object: KubeObject,
  name: string | undefined,
  version: string | undefined,
  repository: string | undefined,
  to: ListingWriter,
): void {
  if (version === undefined || !/^v?\d+(?:\.\d+){0,2}(?:[-+].*)?$/.test(version)) {
    const range = version === undefined ? 'names no version' : `has a range of versions (${version})`
    const why = `it ${range}: give the exact one with --chart ${name ?? '<name>'}@<version>=${repository ?? '<repository>'}`
    to.leaveOut(CHART, `${name ?? ''} of ${nameOf(object)}`, why, object.at)
  } else to.chart({ name, version, repository }, object.at)
}
