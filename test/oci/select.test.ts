import { describe, expect, it } from 'vitest'
import type { RawManifest } from '../../src/oci/content.ts'
import { digestOf, type Digest } from '../../src/oci/digest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { parseManifest } from '../../src/oci/manifest.ts'
import { formatPlatform, parsePlatform } from '../../src/oci/platform.ts'
import { selectPlatforms } from '../../src/oci/select.ts'

const child = (platform: string, seed: string, annotations?: Record<string, string>) => ({
  mediaType: OCI_MANIFEST,
  digest: digestOf(seed),
  size: 100,
  platform: parsePlatform(platform),
  ...(annotations === undefined ? {} : { annotations }),
})

function indexOf(children: readonly object[]): RawManifest {
  const raw = new TextEncoder().encode(
    JSON.stringify(
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: children, annotations: { kept: 'yes' } },
      null,
      2,
    ),
  )
  return { raw, descriptor: { mediaType: OCI_INDEX, digest: digestOf(raw), size: raw.length } }
}

const attests = (digest: Digest) => ({ 'vnd.docker.reference.digest': digest })
const wanted = ['linux/amd64', 'linux/arm64'].map(parsePlatform)
const digests = (index: RawManifest) => parseManifest(index).manifests.map(({ digest }) => digest)

describe('selectPlatforms', () => {
  it('keeps an index byte for byte when nothing is dropped', () => {
    const index = indexOf([child('linux/amd64', 'a'), child('linux/arm64/v8', 'b')])
    expect(selectPlatforms(index, wanted).index).toBe(index)
  })

  it('drops other platforms with their attestations, and keeps the digests of the rest', () => {
    const amd64 = child('linux/amd64', 'a')
    const s390x = child('linux/s390x', 's')
    const arm64 = child('linux/arm64', 'b')
    const of = (about: Digest, seed: string) => child('unknown/unknown', seed, attests(about))
    const index = indexOf([
      amd64,
      s390x,
      arm64,
      of(amd64.digest, '1'),
      of(s390x.digest, '2'),
      of(arm64.digest, '3'),
    ])
    const { index: smaller, missing } = selectPlatforms(index, wanted)
    expect(missing).toEqual([])
    expect(digests(smaller)).toEqual([amd64.digest, arm64.digest, digestOf('1'), digestOf('3')])
    expect(smaller.descriptor.digest).toBe(digestOf(smaller.raw))
    expect(smaller.descriptor.size).toBe(smaller.raw.length)
    expect(parseManifest(smaller).annotations).toEqual({ kept: 'yes' })
  })

  it('tells variants apart when one is asked for', () => {
    const v6 = child('linux/arm/v6', '6')
    const v7 = child('linux/arm/v7', '7')
    const index = indexOf([v6, v7])
    expect(digests(selectPlatforms(index, [parsePlatform('linux/arm/v7')]).index)).toEqual([v7.digest])
    expect(digests(selectPlatforms(index, [parsePlatform('linux/arm')]).index)).toEqual([
      v6.digest,
      v7.digest,
    ])
  })

  it('counts what nested indexes offer, and keeps them', () => {
    const nested = { mediaType: OCI_INDEX, digest: digestOf('nested'), size: 100 }
    const index = indexOf([nested, child('linux/arm/v7', 'v7')])
    expect(selectPlatforms(index, wanted).missing).toEqual(wanted)
    const { index: cut, missing } = selectPlatforms(index, wanted, undefined, { below: wanted })
    expect(missing).toEqual([])
    expect(digests(cut)).toEqual([nested.digest])
  })

  it('says which platforms are missing', () => {
    const { missing } = selectPlatforms(indexOf([child('linux/amd64', 'a')]), wanted)
    expect(missing.map(formatPlatform)).toEqual(['linux/arm64'])
  })

  it('keeps nothing of an index that has none of them', () => {
    const index = indexOf([child('windows/amd64', 'w'), child('linux/ppc64le', 'p')])
    const { missing, kept, offered } = selectPlatforms(index, wanted, 'source x')
    expect(kept).toEqual([])
    expect(missing).toEqual(wanted)
    expect(offered.map(formatPlatform)).toEqual(['windows/amd64', 'linux/ppc64le'])
  })

  it('takes what the registry lost for not listed, and what attests it too', () => {
    const amd64 = child('linux/amd64', 'a')
    const arm64 = child('linux/arm64', 'b')
    const index = indexOf([amd64, arm64, child('unknown/unknown', '1', attests(arm64.digest))])
    const { index: cut, missing } = selectPlatforms(index, wanted, undefined, {
      lost: new Set([arm64.digest]),
    })
    expect(digests(cut)).toEqual([amd64.digest])
    expect(missing.map(formatPlatform)).toEqual(['linux/arm64'])
  })

  it('leaves attestations out when they are not wanted, of all platforms too', () => {
    const amd64 = child('linux/amd64', 'a')
    const index = indexOf([amd64, child('unknown/unknown', '1', attests(amd64.digest))])
    expect(digests(selectPlatforms(index, 'all').index)).toHaveLength(2)
    expect(digests(selectPlatforms(index, 'all', undefined, { dropAttestations: true }).index)).toEqual([
      amd64.digest,
    ])
  })

  it('drops entries that cannot be carried, and says for which platforms', () => {
    const odd = { ...child('linux/arm64', 'x'), digest: `sha512:${'0'.repeat(128)}` }
    const index = indexOf([child('linux/amd64', 'a'), odd])
    const { index: cut, missing } = selectPlatforms(index, wanted)
    expect(digests(cut)).toEqual([digestOf('a')])
    expect(missing.map(formatPlatform)).toEqual(['linux/arm64'])
  })
})
