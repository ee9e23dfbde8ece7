import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilePart, RandomReader } from '../../lib/bytes/bytes.ts'
import { lockPath } from '../../lib/bytes/partial-file.ts'
import { syncFolder } from '../file-writer.ts'
import { cannotWrite, type RandomWriter } from '../random-writer.ts'
import { checkVolumeSpace, leftVolumes, rearrange, refuseStrays } from './folder.ts'
import { openVolumeFiles, partialName } from './files.ts'
import type { VolumeList } from './list.ts'
import { publishVolumes, unpublish } from './publish.ts'
import { joinVolumes } from './reader.ts'
import { cutVolumes, type Volume } from './volume.ts'

/**
 * Reads the volumes back when all is written: what they are known by from then on. `write` repairs what it finds to be
 * wrong, so that the next run does.
 */
export type Seal = (
  file: RandomReader,
  volumes: readonly Volume[],
  write: RandomWriter['write'],
) => Promise<VolumeList>

export interface VolumeWriterOptions {
  readonly folder: string
  /** Name of the archive; the volumes are `<base>.001` and so on. */
  readonly base: string
  /** The most that a volume may have, bytes. */
  readonly split: number
  readonly seal: Seal
}

/**
 * Volumes of an archive that is cut by bytes, `<name>.partial` until all of them are whole. They get their names one
 * after the other, and their list the last of all; what is cut off meanwhile is continued like anything else.
 * @throws WriteError when the folder cannot be written to, or holds half-written volumes of another size
 */
export async function openVolumeWriter(options: VolumeWriterOptions): Promise<RandomWriter> {
  const { folder, base, split, seal } = options
  const told = async <Result>(work: () => Promise<Result>, name = base): Promise<Result> => {
    try {
      return await work()
    } catch (error) {
      throw cannotWrite(name, error)
    }
  }
  const files = openVolumeFiles(folder)
  const lock = await told(() => lockPath(join(folder, base)))
  let volumes: readonly Volume[] = await told(async () => {
    await unpublish(folder, base)
    return leftVolumes(folder, base, split)
  }).catch(async (error: unknown) => {
    await lock.release()
    throw error
  })
  const left = volumes.reduce((end, { offset, size }) => Math.max(end, offset + size), 0)

  /** The pieces that a range falls into, volume by volume. */
  const pieces = function* (at: number, length: number) {
    const first = Math.floor(at / split)
    for (let index = first; index * split < at + length; index += 1) {
      const volume = volumes[index]
      if (volume === undefined) return
      const from = Math.max(at, volume.offset)
      const to = Math.min(at + length, volume.offset + volume.size)
      if (to > from) yield { volume, from, to }
    }
  }

  return {
    left,
    read: (at, length) =>
      told(async () => {
        const found: Uint8Array[] = []
        for (const { volume, from, to } of pieces(at, length)) {
          const chunk = await files.read(volume, from - volume.offset, to - from)
          found.push(chunk)
          if (chunk.length < to - from) break
        }
        return Buffer.concat(found)
      }),
    write,
    sync: () => told(() => files.sync()),
    resize: (to) =>
      told(async () => {
        const wanted = cutVolumes(base, to, split)
        await refuseStrays(folder, base, wanted)
        await checkVolumeSpace(folder, base, wanted)
        await files.sync()
        files.close()
        await rearrange(folder, volumes, wanted)
        volumes = wanted
        for (const volume of wanted) await told(() => files.resize(volume), volume.name)
        await syncFolder(folder)
      }),
    publish: () =>
      told(async () => {
        await files.sync()
        files.close()
        const parts = volumes.map((volume): FilePart => ({
          ...volume,
          path: join(folder, partialName(volume.name)),
        }))
        let list: VolumeList
        try {
          list = await seal(joinVolumes(parts), volumes, write)
        } catch (error) {
          await files.sync()
          throw error
        }
        await publishVolumes(folder, base, list, (volume) => files.publish(volume))
        await lock.release()
      }),
    close: (keep) =>
      told(async () => {
        files.close()
        for (const { name } of keep ? [] : volumes) await rm(join(folder, partialName(name)), { force: true })
        await lock.release()
      }),
  }

  function write(chunk: Uint8Array, at: number): void {
    for (const { volume, from, to } of pieces(at, chunk.length)) {
      try {
        files.write(volume, chunk.subarray(from - at, to - at), from - volume.offset)
      } catch (error) {
        throw cannotWrite(volume.name, error)
      }
    }
  }
}
