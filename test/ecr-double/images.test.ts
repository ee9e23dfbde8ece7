import {
  BatchDeleteImageCommand,
  BatchGetImageCommand,
  DescribeImagesCommand,
  ListImageReferrersCommand,
  ListImagesCommand,
  PutImageCommand,
} from '@aws-sdk/client-ecr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { blobsOf, indexOf, pushImage, putManifest, refusal, sdk } from './client.ts'

const repositoryName = 'images'
let ecr: Ecr

beforeAll(async () => {
  ecr = await startEcr({ tls: false, quotas: 'none' })
  ecr.createRepository(repositoryName)
})
afterAll(() => ecr.stop())

const put = (imageManifest: string, imageTag?: string, over: object = {}) =>
  sdk(ecr).send(
    new PutImageCommand({
      repositoryName,
      imageManifest,
      ...(imageTag === undefined ? {} : { imageTag }),
      ...over,
    }),
  )

describe('PutImage', () => {
  test('takes a manifest, once per tag', async () => {
    const { raw, digest } = await blobsOf(ecr, repositoryName)
    const { image } = await put(raw, 'native')
    expect(image?.imageId).toEqual({ imageDigest: digest, imageTag: 'native' })
    expect(await refusal(put(raw, 'native'))).toBe(
      `ImageAlreadyExistsException: Image with digest '${digest}' and tag 'native' already exists in the repository with name '${repositoryName}'`,
    )
    expect(await refusal(put(raw))).toMatch(/^ImageAlreadyExistsException: /)
    await put(raw, 'second')
    expect(ecr.tags()).toMatchObject({ 'images:native': digest, 'images:second': digest })
  })

  test('refuses what the OCI door refuses, in its own words', async () => {
    const { raw, manifest } = await blobsOf(ecr, repositoryName)
    expect(await refusal(put('{'))).toMatch(/^InvalidParameterException: .*'Invalid JSON syntax'$/)
    expect(await refusal(put(JSON.stringify({ ...manifest, mediaType: undefined }), 'typeless'))).toMatch(
      /^InvalidParameterException: /,
    )
    expect(await refusal(put(raw, 'x', { imageDigest: digestOf('y') }))).toMatch(/^ImageDigestDoesNotMatch/)
    expect(await refusal(put(raw, '1+2'))).toMatch(/^InvalidParameterException: /)
    expect(
      await refusal(
        put(
          raw
            .replace(digestOf(''), digestOf(''))
            .replace('"layers":[{', '"layers":[{"x":1,')
            .replace(/"digest":"sha256:[0-9a-f]{64}"/, `"digest":"${digestOf('gone')}"`),
        ),
      ),
    ).toMatch(/^LayersNotFoundException: /)
    expect(await refusal(put(indexOf([{ raw: '{}' }]), 'index'))).toMatch(
      /^ReferencedImagesNotFoundException: /,
    )
  })

  test('takes a manifest without mediaType when the call names it', async () => {
    const { manifest } = await blobsOf(ecr, repositoryName)
    const bare = JSON.stringify({ ...manifest, mediaType: undefined })
    const { image } = await put(bare, 'helm', { imageManifestMediaType: OCI_MANIFEST })
    expect(image?.imageManifest).toBe(bare)
    expect(image?.imageManifestMediaType).toBe(OCI_MANIFEST)
  })
})

describe('reading', () => {
  test('BatchGetImage answers by tag and digest, and names what is missing', async () => {
    const { raw, digest } = await pushImage(ecr, repositoryName, 'got')
    const { images, failures } = await sdk(ecr).send(
      new BatchGetImageCommand({
        repositoryName,
        imageIds: [
          { imageTag: 'got' },
          { imageDigest: digest },
          { imageTag: 'none' },
          { imageTag: 'got', imageDigest: digestOf('else') },
        ],
      }),
    )
    expect(images?.map(({ imageManifest, imageId }) => [imageManifest, imageId])).toEqual([
      [raw, { imageDigest: digest, imageTag: 'got' }],
      [raw, { imageDigest: digest }],
    ])
    expect(failures?.map(({ failureCode }) => failureCode)).toEqual(['ImageNotFound', 'ImageNotFound'])
  })

  test('ListImages and DescribeImages page and filter', async () => {
    const lists = await startEcr({ tls: false, quotas: 'none' })
    lists.createRepository(repositoryName)
    const { raw, digest } = await pushImage(lists, repositoryName, 't0')
    for (let one = 1; one < 150; one += 1) await putManifest(lists, repositoryName, `t${one}`, raw)
    const untagged = await blobsOf(lists, repositoryName)
    await putManifest(lists, repositoryName, untagged.digest, untagged.raw)
    const first = await sdk(lists).send(new ListImagesCommand({ repositoryName }))
    const rest = await sdk(lists).send(new ListImagesCommand({ repositoryName, nextToken: first.nextToken }))
    expect([first.imageIds?.length, rest.imageIds?.length, rest.nextToken]).toEqual([100, 51, undefined])
    const bare = await sdk(lists).send(
      new ListImagesCommand({ repositoryName, filter: { tagStatus: 'UNTAGGED' } }),
    )
    expect(bare.imageIds).toEqual([{ imageDigest: untagged.digest }])
    const { imageDetails } = await sdk(lists).send(
      new DescribeImagesCommand({ repositoryName, imageIds: [{ imageTag: 't7' }] }),
    )
    expect(imageDetails?.[0]).toMatchObject({
      imageDigest: digest,
      imageSizeInBytes: 2000,
      imageManifestMediaType: OCI_MANIFEST,
      imagePushedAt: expect.any(Date),
    })
    expect(imageDetails?.[0]?.imageTags).toHaveLength(150)
    expect(
      await refusal(
        sdk(lists).send(new DescribeImagesCommand({ repositoryName, imageIds: [{ imageTag: 'none' }] })),
      ),
    ).toMatch(/^ImageNotFoundException: /)
    await lists.stop()
  })

  test('ListImageReferrers lists by subject', async () => {
    const { digest, raw } = await pushImage(ecr, repositoryName, 'subject')
    const subject = { mediaType: OCI_MANIFEST, digest, size: raw.length }
    const sbom = await blobsOf(ecr, repositoryName, { subject, artifactType: 'application/x.sbom' })
    await putManifest(ecr, repositoryName, sbom.digest, sbom.raw)
    const { referrers } = await sdk(ecr).send(
      new ListImageReferrersCommand({ repositoryName, subjectId: { imageDigest: digest } }),
    )
    expect(referrers).toMatchObject([
      { digest: sbom.digest, artifactType: 'application/x.sbom', size: sbom.raw.length },
    ])
  })
})

describe('BatchDeleteImage', () => {
  test('untags by tag, deletes by digest, and protects the children of an index', async () => {
    const child = await pushImage(ecr, repositoryName, 'child')
    const index = indexOf([child])
    await putManifest(ecr, repositoryName, 'parent', index, OCI_INDEX)
    const remove = (...imageIds: { imageTag?: string; imageDigest?: string }[]) =>
      sdk(ecr).send(new BatchDeleteImageCommand({ repositoryName, imageIds }))
    const refused = await remove({ imageDigest: child.digest })
    expect(refused.failures?.[0]?.failureCode).toBe('ImageReferencedByManifestList')
    await putManifest(ecr, repositoryName, 'alias', index, OCI_INDEX)
    await remove({ imageTag: 'alias' })
    expect(ecr.tags()).toMatchObject({ 'images:parent': digestOf(index) })
    expect(ecr.tags()['images:alias']).toBeUndefined()
    await remove({ imageDigest: digestOf(index) }, { imageDigest: child.digest })
    expect(ecr.repository(repositoryName)?.images.has(child.digest)).toBe(false)
    expect(ecr.tags()['images:parent']).toBeUndefined()
  })
})
