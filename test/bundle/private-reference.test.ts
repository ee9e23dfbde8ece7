import { describe, expect, it } from 'vitest'
import type { ImageContents } from '../../src/bundle/format/contents.ts'
import { createPrivateImages } from '../../src/bundle/charts/private-images.ts'
import type { Digest } from '../../src/oci/digest.ts'
import { OCI_INDEX } from '../../src/oci/media-types.ts'

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`
const image = (name: string, own: Digest, original?: Digest): ImageContents => ({
  kind: 'image',
  name,
  digest: own,
  size: 1,
  mediaType: OCI_INDEX,
  platforms: ['linux/amd64'],
  ...(original === undefined ? {} : { original }),
})
const roots = [
  image('docker.io/library/busybox:latest', digest('1')),
  image('docker.io/library/busybox:1.36', digest('2')),
  image('quay.io/team/app:v1', digest('3'), digest('4')),
  image('quay.io/team/app:v1-alias', digest('3')),
  image(`ghcr.io/team/pinned@${digest('5')}`, digest('5')),
  image('registry.example:5000/team/app:2', digest('6')),
  image('registry.k8s.io/pause:3.10', digest('7')),
  image('docker.io/library/two:1', digest('8')),
  image('mirror.gcr.io/library/two:2', digest('9')),
]
const images = createPrivateImages(roots, {
  registry: 'private.example',
  path: 'shared/team',
  prefix: 'mirrored',
  chartPrefix: 'charts',
})
const at = (rest: string): string => `private.example/shared/team/mirrored/${rest}`

describe('rewrite', () => {
  it.each([
    ['busybox', at('docker.io/library/busybox:latest')],
    ['busybox:1.36', at('docker.io/library/busybox:1.36')],
    ['library/busybox:1.36', at('docker.io/library/busybox:1.36')],
    ['docker.io/busybox:1.36', at('docker.io/library/busybox:1.36')],
    ['index.docker.io/library/busybox:1.36', at('docker.io/library/busybox:1.36')],
    ['mirror.gcr.io/library/busybox:1.36', at('docker.io/library/busybox:1.36')],
    ['k8s.gcr.io/pause:3.10', at('registry.k8s.io/pause:3.10')],
    ['Quay.IO/team/app:v1', at('quay.io/team/app:v1')],
    ['registry.example:5000/team/app:2', at('registry.example-5000/team/app:2')],
    // Of a list of platforms, and of the smaller list that the bundle made of it.
    [`quay.io/team/app@${digest('3')}`, at(`quay.io/team/app@${digest('3')}`)],
    [`quay.io/team/app@${digest('4')}`, at(`quay.io/team/app@${digest('3')}`)],
    [`quay.io/team/app:v1@${digest('4')}`, at(`quay.io/team/app:v1@${digest('3')}`)],
    [`quay.io/team/app:v1-alias@${digest('3')}`, at(`quay.io/team/app:v1-alias@${digest('3')}`)],
    // A tag that the private registry does not have would not be pulled by a digest either, so it goes.
    [`quay.io/team/app:gone@${digest('3')}`, at(`quay.io/team/app@${digest('3')}`)],
    [`ghcr.io/team/pinned@${digest('5')}`, at(`ghcr.io/team/pinned@${digest('5')}`)],
  ])('%s -> %s', (from, to) => {
    expect(images.rewrite(from)).toBe(to)
  })

  it.each([
    'busybox:1.35',
    'quay.io/team/app',
    'quay.io/team/app:v2',
    `quay.io/team/app:v1@${digest('a')}`,
    `quay.io/team/other@${digest('3')}`,
    'ghcr.io/team/pinned:latest',
    'registry.example/team/app:2',
    'private.example/shared/team/mirrored/quay.io/team/app:v1',
    'NOT/a reference',
    '',
  ])('leaves %s alone', (from) => {
    expect(images.rewrite(from)).toBeUndefined()
  })
})

describe('rewriteRepository', () => {
  it.each([
    ['quay.io/team/app', at('quay.io/team/app')],
    ['busybox', at('docker.io/library/busybox')],
    ['registry.example:5000/team/app', at('registry.example-5000/team/app')],
    ['quay.io/team/app:v1', undefined],
    [`quay.io/team/app@${digest('3')}`, undefined],
    ['quay.io/team/other', undefined],
    // Its versions are in two places.
    ['docker.io/library/two', undefined],
  ])('%s -> %s', (from, to) => {
    expect(images.rewriteRepository(from)).toBe(to)
  })
})
