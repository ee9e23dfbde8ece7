import { integrityError } from '../lib/errors.ts'
import type { RawManifest } from '../oci/content.ts'
import type { Descriptor } from '../oci/descriptor.ts'
import { digestOf } from '../oci/digest.ts'
import { isObject, type Manifest } from '../oci/manifest.ts'
import { HELM_CHART, HELM_CONFIG, HELM_PROVENANCE, OCI_MANIFEST } from '../oci/media-types.ts'
import { asText, readChartMetadata, type ChartMetadata } from './chart.ts'

/** A chart as Helm keeps it in OCI registries: https://helm.sh/docs/topics/registries/ */
export interface ChartArtifact {
  readonly metadata: ChartMetadata
  readonly manifest: RawManifest
  readonly config: Uint8Array
  /** In the manifest's order. */
  readonly layers: readonly { readonly descriptor: Descriptor; readonly content: Uint8Array }[]
}

/**
 * Packs a chart as `helm push` does, but without `org.opencontainers.image.created`: the same tgz gives the same
 * digest on every day and machine.
 * @param provenance the `.prov` file that was published beside the tgz
 */
export function packChart(tgz: Uint8Array, where?: string, provenance?: Uint8Array): ChartArtifact {
  const metadata = readChartMetadata(tgz, where)
  const config = new TextEncoder().encode(goJson(configOf(metadata)))
  const layers = [
    { descriptor: describe(HELM_CHART, tgz), content: tgz },
    ...(provenance === undefined
      ? []
      : [{ descriptor: describe(HELM_PROVENANCE, provenance), content: provenance }]),
    // Helm sorts layers by digest, so the chart is not always the first.
  ].toSorted((a, b) => (a.descriptor.digest < b.descriptor.digest ? -1 : 1))
  const raw = new TextEncoder().encode(
    goJson({
      schemaVersion: 2,
      // Helm leaves it out; Amazon ECR has refused manifests without it.
      mediaType: OCI_MANIFEST,
      config: describe(HELM_CONFIG, config),
      layers: layers.map(({ descriptor }) => descriptor),
      annotations: annotationsOf(metadata),
    }),
  )
  return { metadata, manifest: { descriptor: describe(OCI_MANIFEST, raw), raw }, config, layers }
}

/**
 * The layer that is the chart's tgz. Recognised by media type, because a provenance file may come first.
 * @throws an integrity error when the artifact is no chart
 */
export function chartLayer(manifest: Manifest, where?: string): Descriptor {
  const layer = manifest.layers.find(
    ({ mediaType }) => mediaType === HELM_CHART || mediaType === LEGACY_CHART,
  )
  if (layer !== undefined) return layer
  const found = manifest.config?.mediaType ?? manifest.mediaType
  throw integrityError(
    `this is not a Helm chart: no layer is of type ${HELM_CHART} (its config is ${found})`,
    {
      ...(where === undefined ? {} : { where }),
      next: 'check the repository and the name; an image cannot be listed under charts',
    },
  )
}

// --- internal ---

/** What Helm before 3.7 wrote. */
const LEGACY_CHART = 'application/tar+gzip'

const describe = (mediaType: string, content: Uint8Array): Descriptor => ({
  mediaType,
  digest: digestOf(content),
  size: content.length,
})

/** The order in which Go writes Helm's struct; what Helm does not know, it drops. */
const CONFIG_FIELDS = {
  name: 'text',
  home: 'text',
  sources: 'texts',
  version: 'word',
  description: 'text',
  keywords: 'texts',
  maintainers: 'maintainers',
  icon: 'text',
  apiVersion: 'word',
  condition: 'text',
  tags: 'text',
  appVersion: 'text',
  deprecated: 'flag',
  annotations: 'map',
  kubeVersion: 'text',
  dependencies: 'dependencies',
  type: 'word',
} as const

type FieldKind = (typeof CONFIG_FIELDS)[keyof typeof CONFIG_FIELDS]

/** Charts from before Helm 3 may have no apiVersion; Helm takes them for `v1`. */
const configOf = ({ fields }: ChartMetadata): Record<string, unknown> =>
  defined(
    Object.entries(CONFIG_FIELDS).map(([key, kind]) => [
      key,
      convert(fields[key], kind) ?? (key === 'apiVersion' ? 'v1' : undefined),
    ]),
  )

function convert(value: unknown, kind: FieldKind): unknown {
  if (kind === 'text' || kind === 'word') {
    const text = asText(value) ?? ''
    return (kind === 'word' ? text : cleaned(text)) || undefined
  }
  if (kind === 'flag') return value === true ? true : undefined
  if (kind === 'map') return isObject(value) ? nonEmpty(texts(value)) : undefined
  if (!Array.isArray(value)) return undefined
  if (kind === 'texts') return nonEmpty(value.flatMap((item) => cleaned(asText(item) ?? '')))
  const parts = value.filter(isObject)
  return nonEmpty(kind === 'maintainers' ? parts.map(maintainer) : parts.map(dependency))
}

const maintainer = (value: Record<string, unknown>): Record<string, unknown> =>
  defined(['name', 'email', 'url'].map((key) => [key, convert(value[key], 'text')]))

const dependency = (value: Record<string, unknown>): Record<string, unknown> =>
  defined([
    ['name', asText(value['name']) ?? ''],
    ['version', convert(value['version'], 'text')],
    ['repository', asText(value['repository']) ?? ''],
    ['condition', convert(value['condition'], 'text')],
    ['tags', convert(value['tags'], 'texts')],
    ['enabled', convert(value['enabled'], 'flag')],
    ['import-values', Array.isArray(value['import-values']) ? nonEmpty(value['import-values']) : undefined],
    ['alias', convert(value['alias'], 'text')],
  ])

/** As Helm's Metadata.Validate has it: white space is a blank, what cannot be printed is left out. */
const cleaned = (text: string): string =>
  text.replaceAll(/\p{White_Space}/gu, ' ').replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '')

/** https://github.com/helm/helm/blob/main/pkg/registry/chart.go: Chart.yaml's own annotations win, but for title and version. */
function annotationsOf(metadata: ChartMetadata): Record<string, string> {
  const authors = metadata.maintainers
    .map(({ name = '', email = '' }) => cleaned(name) + (email === '' ? '' : ` (${cleaned(email)})`))
    .join(', ')
  const own = {
    [`${OCI}description`]: cleaned(metadata.description ?? ''),
    [`${OCI}title`]: metadata.name,
    [`${OCI}version`]: metadata.version,
    [`${OCI}url`]: cleaned(metadata.home ?? ''),
    [`${OCI}source`]: cleaned(metadata.sources[0] ?? ''),
    [`${OCI}authors`]: authors,
  }
  const { [`${OCI}title`]: _title, [`${OCI}version`]: _version, ...theirs } = metadata.annotations
  const kept = Object.entries(own).filter(([, text]) => text.trim() !== '')
  return sorted({ ...Object.fromEntries(kept), ...theirs })
}

const OCI = 'org.opencontainers.image.'

const texts = (value: Record<string, unknown>): Record<string, string> =>
  sorted(
    Object.fromEntries(
      Object.entries(value).flatMap(([key, item]) => {
        const text = asText(item)
        return text === undefined ? [] : [[key, text] as const]
      }),
    ),
  )

const sorted = (value: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))

const defined = (entries: readonly (readonly [string, unknown])[]): Record<string, unknown> =>
  Object.fromEntries(entries.filter(([, value]) => value !== undefined))

function nonEmpty<Value extends object>(value: Value): Value | undefined {
  return Object.keys(value).length === 0 ? undefined : value
}

/** JSON as Go's encoding/json writes it, so that the config has the digest that `helm push` would give it. */
const goJson = (value: unknown): string =>
  JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  )
