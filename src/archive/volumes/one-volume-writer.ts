import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RandomReader } from '../../lib/bytes/bytes.ts'
import { lockPath } from '../../lib/bytes/partial-file.ts'
import { syncFolder } from '../file-writer.ts'
import { cannotWrite, type RandomWriter } from '../random-writer.ts'
import { checkVolumeSpace } from './folder.ts'
import { openVolumeFiles, partialName } from './files.ts'
import { joinVolumes } from './reader.ts'
import type { Volume } from './volume.ts'

export interface OneVolumeOptions {
  readonly folder: string
  /** Name of the archive. */
  readonly base: string
  /** The one volume that is wanted. */
  readonly volume: Volume
  /** Looks at the volume before it gets its name; throws to keep it from that. */
  readonly check: (file: RandomReader) => Promise<void>
}

/**
 * One volume of an archive alone. Entries that lie elsewhere are neither checked nor asked for; what is written of others
 * beyond the volume is dropped. It always begins again from the start.
 * @throws WriteError when the folder cannot be written to, or has no room
 */
export async function openOneVolumeWriter(options: OneVolumeOptions): Promise<RandomWriter> {
  const { folder, base, volume, check } = options
  const end = volume.offset + volume.size
  const file = { ...volume, name: `${volume.name}.again`, offset: 0 }
  const path = join(folder, partialName(file.name))
  const files = openVolumeFiles(folder)
  const told = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work()
    } catch (error) {
      throw cannotWrite(volume.name, error)
    }
  }
  const within = (at: number, length: number) => {
    const from = Math.max(at, volume.offset)
    const to = Math.min(at + length, end)
    return to > from ? { from, to } : undefined
  }
  const write = (chunk: Uint8Array, at: number): void => {
    const part = within(at, chunk.length)
    if (part === undefined) return
    try {
      files.write(file, chunk.subarray(part.from - at, part.to - at), part.from - volume.offset)
    } catch (error) {
      throw cannotWrite(volume.name, error)
    }
  }

  const lock = await told(() => lockPath(join(folder, base)))
  await told(async () => {
    await rm(path, { force: true })
    await checkVolumeSpace(folder, volume.name, [file])
    await files.resize(file)
  }).catch(async (error: unknown) => {
    await lock.release()
    throw error
  })

  return {
    left: 0,
    isElsewhere: ({ headerAt, dataAt, size }) => within(headerAt, dataAt + size - headerAt) === undefined,
    read: (at, length) =>
      told(async () => {
        const part = within(at, length)
        return part === undefined
          ? new Uint8Array()
          : files.read(file, part.from - volume.offset, part.to - part.from)
      }),
    write,
    sync: () => told(() => files.sync()),
    resize: () => told(() => files.resize(file)),
    publish: () =>
      told(async () => {
        await files.sync()
        files.close()
        await check(joinVolumes([{ ...file, name: volume.name, path }]))
        await rename(path, join(folder, volume.name))
        await syncFolder(folder)
        await lock.release()
      }),
    close: () =>
      told(async () => {
        files.close()
        await rm(path, { force: true })
        await lock.release()
      }),
  }
}
