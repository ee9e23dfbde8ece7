import {
  BatchCheckLayerAvailabilityCommand,
  CompleteLayerUploadCommand,
  GetDownloadUrlForLayerCommand,
  InitiateLayerUploadCommand,
  InvalidLayerPartException,
  UploadLayerPartCommand,
} from '@aws-sdk/client-ecr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { bytes, download, present, pushImage, refusal, sdk } from './client.ts'

const MIB = 1024 * 1024
const repositoryName = 'native'
let ecr: Ecr

beforeAll(async () => {
  ecr = await startEcr({ tls: false })
  ecr.createRepository(repositoryName)
})
afterAll(() => ecr.stop())

const begin = async () => {
  const { uploadId, partSize } = await sdk(ecr).send(new InitiateLayerUploadCommand({ repositoryName }))
  expect(partSize).toBe(10 * MIB)
  return present(uploadId)
}

const part = (uploadId: string, partFirstByte: number, layerPartBlob: Uint8Array, partLastByte?: number) =>
  sdk(ecr).send(
    new UploadLayerPartCommand({
      repositoryName,
      uploadId,
      partFirstByte,
      partLastByte: partLastByte ?? partFirstByte + layerPartBlob.length - 1,
      layerPartBlob,
    }),
  )

const complete = (uploadId: string, ...layerDigests: string[]) =>
  sdk(ecr).send(new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests }))

describe('the layer-part API', () => {
  test('takes a layer in parts and says how far it came', async () => {
    const [one, two] = [bytes(10 * MIB), bytes(3)]
    const digest = digestOf(Buffer.concat([one, two]))
    const uploadId = await begin()
    expect((await part(uploadId, 0, one)).lastByteReceived).toBe(10 * MIB - 1)
    expect((await part(uploadId, 10 * MIB, two)).lastByteReceived).toBe(10 * MIB + 2)
    expect((await complete(uploadId, digest)).layerDigest).toBe(digest)
    const { layers, failures } = await sdk(ecr).send(
      new BatchCheckLayerAvailabilityCommand({
        repositoryName,
        layerDigests: [digest, digestOf('none'), 'sha256:bad'],
      }),
    )
    expect(layers).toEqual([
      {
        layerDigest: digest,
        layerAvailability: 'AVAILABLE',
        layerSize: 10 * MIB + 3,
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      },
    ])
    expect(failures?.map(({ failureCode }) => failureCode)).toEqual([
      'MissingLayerDigest',
      'InvalidLayerDigest',
    ])
    const { downloadUrl } = await sdk(ecr).send(
      new GetDownloadUrlForLayerCommand({ repositoryName, layerDigest: digest }),
    )
    const downloaded = await (await fetch(present(downloadUrl))).bytes()
    expect(digestOf(downloaded)).toBe(digest)
    expect(ecr.log.counts()).toMatchObject({
      InitiateLayerUpload: 1,
      UploadLayerPart: 2,
      CompleteLayerUpload: 1,
    })
  })

  test('refuses a part at the wrong place and says where to go on', async () => {
    const uploadId = await begin()
    await part(uploadId, 0, bytes(5 * MIB))
    const error: unknown = await part(uploadId, 0, bytes(5 * MIB)).catch((cause: unknown) => cause)
    if (!(error instanceof InvalidLayerPartException))
      throw new Error(`not the expected refusal: ${String(error)}`)
    expect(error.lastValidByteReceived).toBe(5 * MIB - 1)
    expect(error.uploadId).toBe(uploadId)
    expect((await part(uploadId, 5 * MIB, bytes(9))).lastByteReceived).toBe(5 * MIB + 8)
  })

  test('wants parts of 5 to 20 MiB that are as long as they say', async () => {
    const uploadId = await begin()
    expect(await refusal(part(uploadId, 0, bytes(20_971_521)))).toMatch(
      /^InvalidParameterException: .*20971520/,
    )
    expect(await refusal(part(uploadId, 0, bytes(7), 7))).toMatch(/^InvalidParameterException/)
    await part(uploadId, 0, bytes(7))
    await part(uploadId, 7, bytes(7))
    expect(await refusal(complete(uploadId, digestOf('x')))).toMatch(/^LayerPartTooSmallException: /)
  })

  test('refuses an empty upload, other digests, an unknown upload and a layer that is there', async () => {
    const content = bytes(100)
    const empty = await begin()
    expect(await refusal(complete(empty, digestOf('')))).toMatch(/^EmptyUploadException: /)
    const uploadId = await begin()
    await part(uploadId, 0, content)
    expect(await refusal(complete(uploadId, digestOf('other')))).toBe(
      'InvalidLayerException: None of the provided layer digests match the calculated layer digest',
    )
    await complete(uploadId, digestOf('other'), digestOf(content))
    expect(await refusal(complete(uploadId, digestOf(content)))).toMatch(/^UploadNotFoundException: /)
    const again = await begin()
    await part(again, 0, content)
    expect(await refusal(complete(again, digestOf(content)))).toMatch(/^LayerAlreadyExistsException: /)
    expect(await refusal(sdk(ecr).send(new InitiateLayerUploadCommand({ repositoryName: 'none' })))).toMatch(
      /^RepositoryNotFoundException: /,
    )
    expect(
      await refusal(
        sdk(ecr).send(new GetDownloadUrlForLayerCommand({ repositoryName, layerDigest: digestOf('none') })),
      ),
    ).toMatch(/^LayersNotFoundException: /)
  })

  test('may drop a layer that no manifest names, and only where none does', async () => {
    ecr.createRepository('named')
    const { layer } = await pushImage(ecr, 'named', '1')
    const content = await download(ecr, 'named', layer)
    const uploadId = await begin()
    await part(uploadId, 0, content)
    await complete(uploadId, layer)
    expect(ecr.collectGarbage()).toBeGreaterThan(0)
    const availability = async (repositoryName: string) => {
      const asked = { repositoryName, layerDigests: [layer] }
      const { layers, failures } = await sdk(ecr).send(new BatchCheckLayerAvailabilityCommand(asked))
      return layers?.[0]?.layerAvailability ?? failures?.[0]?.failureCode
    }
    expect(await availability(repositoryName)).toBe('MissingLayerDigest')
    expect(await availability('named')).toBe('AVAILABLE')
    expect(digestOf(await download(ecr, 'named', layer))).toBe(layer)
  })
})
