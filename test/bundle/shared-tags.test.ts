import { describe, expect, it } from 'vitest'
import type { RootContents } from '../../src/bundle/format/contents.ts'
import { refuseSharedTags } from '../../src/bundle/format/destinations/shared-tags.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { OCI_INDEX } from '../../src/oci/media-types.ts'

const image = (name: string, content: string): RootContents => ({
  kind: 'image',
  name,
  digest: digestOf(content),
  size: 1,
  mediaType: OCI_INDEX,
  platforms: [],
})
const pinned = `quay.io/a/b:1@${digestOf('whole')}`

describe('a tag that two references want', () => {
  it('is refused when they are different images', () => {
    const roots = [image('quay.io/a/b:1', 'cut'), image(pinned, 'whole')]
    expect(() => refuseSharedTags(roots)).toThrow(`quay.io/a/b:1 and ${pinned} are different images`)
  })

  it('is theirs when they are the same image', () => {
    expect(() => refuseSharedTags([image('quay.io/a/b:1', 'whole'), image(pinned, 'whole')])).not.toThrow()
  })

  it('is nobody’s when one is pinned without it, or lies elsewhere', () => {
    const other = [`quay.io/a/b@${digestOf('whole')}`, 'quay.io/a/b:2', 'quay.io/a/c:1', 'ghcr.io/a/b:1']
    const roots = [image('quay.io/a/b:1', 'cut'), ...other.map((name) => image(name, 'whole'))]
    expect(() => refuseSharedTags(roots)).not.toThrow()
  })
})
