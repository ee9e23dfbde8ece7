/** https://github.com/opencontainers/image-spec/blob/main/media-types.md */
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json'
/** https://distribution.github.io/distribution/spec/manifest-v2-2/ */
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json'
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json'
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json'
/** Schema 1, kept only to recognise and refuse it. */
export const DOCKER_SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1+json'
export const DOCKER_SCHEMA1_SIGNED = 'application/vnd.docker.distribution.manifest.v1+prettyjws'
/** https://helm.sh/docs/topics/registries/ */
export const HELM_CONFIG = 'application/vnd.cncf.helm.config.v1+json'
export const HELM_CHART = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'
export const HELM_PROVENANCE = 'application/vnd.cncf.helm.chart.provenance.v1.prov'

/** Strips parameters: registries answer `application/json; charset=utf-8`. */
export const bareMediaType = (contentType: string): string => contentType.split(';', 1)[0]?.trim() ?? ''

export const isIndex = (mediaType: string): boolean => mediaType === OCI_INDEX || mediaType === DOCKER_LIST

export const isManifest = (mediaType: string): boolean =>
  isIndex(mediaType) || mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST || isSchema1(mediaType)

export const isSchema1 = (mediaType: string): boolean =>
  mediaType === DOCKER_SCHEMA1 || mediaType === DOCKER_SCHEMA1_SIGNED

/**
 * Layers that a registry need not hold: `urls` says where they are.
 * https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers
 */
export const isForeignLayer = (mediaType: string): boolean =>
  mediaType.includes('.foreign.') || mediaType.includes('.nondistributable.')

/** What every manifest request accepts: without all four, registries translate or answer 404. */
export const ACCEPT_MANIFESTS: readonly string[] = [
  OCI_INDEX,
  OCI_MANIFEST,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  DOCKER_SCHEMA1_SIGNED,
]
