import type { Descriptor } from '../oci/descriptor.ts'
import { OCI_INDEX } from '../oci/media-types.ts'

/** A root as `index.json` lists it. */
export interface LayoutRoot {
  readonly descriptor: Descriptor
  readonly name: string
}

/** How other tools find an image of a layout: https://github.com/opencontainers/image-spec/blob/main/annotations.md */
export const REF_NAME = 'org.opencontainers.image.ref.name'
/** Containerd's `ctr image import` reads the full name here. */
const CONTAINERD_NAME = 'io.containerd.image.name'

export const LAYOUT_FILE = {
  path: 'oci-layout',
  content: new TextEncoder().encode('{"imageLayoutVersion":"1.0.0"}'),
} as const

/** `index.json` of the layout: https://github.com/opencontainers/image-spec/blob/main/image-layout.md */
export function encodeLayoutIndex(roots: readonly LayoutRoot[]): Uint8Array {
  const manifests = roots
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    .map(({ descriptor, name }) => ({
      mediaType: descriptor.mediaType,
      digest: descriptor.digest,
      size: descriptor.size,
      annotations: { [CONTAINERD_NAME]: name, [REF_NAME]: name },
    }))
  return new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }))
}
