import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { RandomReader } from '../../lib/bytes/bytes.ts'
import { syncFolder } from '../file-writer.ts'
import { cannotWrite, type RandomWriter } from '../random-writer.ts'
import { BLOCK, encodeHeader, type Placed, type Placement } from '../tar.ts'
import { checkVolumeSpace } from './folder.ts'
import { openVolumeFiles, partialName } from './files.ts'
import { joinVolumes } from './reader.ts'
import type { Volume } from './volume.ts'

export interface OneVolumeOptions {
  readonly folder: string
  /** The one volume that is wanted. */
  readonly volume: Volume
  readonly placement: Placement
  /** Content of the first entry. */
  readonly head: Uint8Array
  /** Looks at the volume before it gets its name; throws to keep it from that. */
  readonly check: (file: RandomReader) => Promise<void>
}

/**
 * One volume of an archive alone. To the writer everything that lies elsewhere is there already, so that it asks for
 * no more than what touches the volume; what it writes of that beyond the volume is dropped. It always begins anew.
 * @throws WriteError when the folder cannot be written to, or has no room
 */
export async function openOneVolumeWriter(options: OneVolumeOptions): Promise<RandomWriter> {
  const { folder, volume, placement, head, check } = options
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
  const isWanted = ({ headerAt, dataAt, size }: Placed): boolean =>
    within(headerAt, dataAt + size - headerAt) !== undefined
  const write = (chunk: Uint8Array, at: number): void => {
    const part = within(at, chunk.length)
    if (part === undefined) return
    try {
      files.write(file, chunk.subarray(part.from - at, part.to - at), part.from - volume.offset)
    } catch (error) {
      throw cannotWrite(volume.name, error)
    }
  }

  const [first] = placement.entries
  await told(async () => {
    await rm(path, { force: true })
    await checkVolumeSpace(folder, volume.name, [file])
    await files.resize(file)
  })
  if (first !== undefined) {
    write(encodeHeader(first), first.headerAt)
    write(head, first.dataAt)
  }

  return {
    left: placement.size,
    read: (at, length) =>
      told(async () => {
        const view = new Uint8Array(length)
        const lay = (content: Uint8Array, from: number): void => {
          const start = Math.max(from, at)
          const stop = Math.min(from + content.length, at + length)
          if (stop > start) view.set(content.subarray(start - from, stop - from), start - at)
        }
        for (const entry of placement.entries) {
          const isNear = entry.headerAt < at + length && entry.headerAt + BLOCK > at
          if (isNear && (entry === first || !isWanted(entry))) lay(encodeHeader(entry), entry.headerAt)
        }
        if (first !== undefined) lay(head, first.dataAt)
        const part = within(at, length)
        if (part !== undefined)
          lay(await files.read(file, part.from - volume.offset, part.to - part.from), part.from)
        return view
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
      }),
    close: () =>
      told(async () => {
        files.close()
        await rm(path, { force: true })
      }),
  }
}
