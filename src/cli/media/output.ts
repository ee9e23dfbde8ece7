import { basename } from 'node:path'
import { openFileWriter } from '../../archive/file-writer.ts'
import { isS3 } from '../../aws/s3/location.ts'
import { writeExport } from '../../bundle/export/export.ts'
import { lookAtFolder } from './check-folder.ts'
import { writeLock } from '../output/lock-io.ts'
import type { Output } from './medium.ts'
import { PIPE, pipeOutput, type PipeArgs } from './pipe.ts'
import { s3Output, storageOf, type StorageArgs } from './s3.ts'
import type { Session } from '../session.ts'
import { isSplit, volumesOutput, type SplitArgs } from './volumes.ts'

/** What the flags of `export` say of the place. */
export type OutputArgs = SplitArgs & PipeArgs & StorageArgs

/** Finds the kind of place that the name and the flags mean. Adding one is a line here. */
export function outputOf(args: OutputArgs, session: Session): Output {
  if (args.bundle === PIPE) return pipeOutput(args, session)
  if (isS3(args.bundle)) return s3Output(args, session)
  storageOf(args, false)
  if (isSplit(args)) return volumesOutput(args)
  return fileOutput(args.bundle)
}

// --- internal ---

const fileOutput = (path: string): Output => ({
  name: basename(path),
  look: () => lookAtFolder(path),
  write: async (prepared, network) => writeExport(await openFileWriter(path), prepared, network),
  writeLock: ({ lock }) => writeLock(`${path}.lock.json`, lock),
})
