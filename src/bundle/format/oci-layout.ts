import type { Descriptor } from '../../oci/descriptor.ts'
import type { RawManifest } from '../../oci/content.ts'
import { digestOf } from '../../oci/digest.ts'
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX } from '../../oci/media-types.ts'

/** A root as `index.json` lists it. */
export interface LayoutRoot {
  readonly descriptor: Descriptor
  readonly name: string
}

/** How other tools find an image of a layout: https://github.com/opencontainers/image-spec/blob/main/annotations.md */
export const REF_NAME = 'org.opencontainers.image.ref.name'
/** Containerd's `ctr image import` reads the full name here, and `docker save` writes it so. */
export const CONTAINERD_NAME = 'io.containerd.image.name'

export const LAYOUT_FILE = {
  path: 'oci-layout',
  content: new TextEncoder().encode('{"imageLayoutVersion":"1.0.0"}'),
} as const

/** `index.json`, and the blobs that only it needs. */
export interface LayoutIndex {
  readonly index: Uint8Array
  readonly blobs: readonly RawManifest[]
}

/**
 * `index.json` of the layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md
 * Tools built on containers/image (skopeo, podman) pass over descriptors of Docker's types. So a Docker list is listed
 * as the OCI index it equals in form, and a lone Docker manifest through a small OCI index around it. Only this list
 * says so; the manifests keep every byte, and `bundle.json` has their true types.
 */
export function encodeLayoutIndex(roots: readonly LayoutRoot[]): LayoutIndex {
  const blobs: RawManifest[] = []
  const manifests = roots
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ descriptor, name }) => {
      const listed = listable(descriptor)
      if ('raw' in listed) blobs.push(listed)
      const { mediaType, digest, size } = 'raw' in listed ? listed.descriptor : listed
      return { mediaType, digest, size, annotations: { [CONTAINERD_NAME]: name, [REF_NAME]: name } }
    })
  return { index: encode({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }), blobs }
}

// --- internal ---

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

function listable({ mediaType, digest, size }: Descriptor): Descriptor | RawManifest {
  if (mediaType === DOCKER_LIST) return { mediaType: OCI_INDEX, digest, size }
  if (mediaType !== DOCKER_MANIFEST) return { mediaType, digest, size }
  const raw = encode({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ mediaType, digest, size }] })
  return { raw, descriptor: { mediaType: OCI_INDEX, digest: digestOf(raw), size: raw.length } }
}
