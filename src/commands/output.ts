import { basename } from 'node:path'
import { openFileMedium } from '../archive/file-medium.ts'
import { writeExport, type Prepared } from '../bundle/export.ts'
import type { Filled } from '../bundle/fill.ts'
import type { Session as Journey } from '../bundle/session.ts'
import { writeLock } from './lock-io.ts'

/** Where an export goes. */
export interface Output {
  /** As messages call it: without folders. */
  readonly name: string
  /** Writes the bundle; it gets its name when all of it is there. */
  write(prepared: Prepared, network: Journey): Promise<Filled>
  /** Writes the lock beside the bundle. */
  writeLock(prepared: Prepared): Promise<void>
}

/** What the flags of `export` say of the place. */
export interface OutputArgs {
  readonly bundle: string
}

/** Finds the kind of place that the name and the flags mean. Adding one is a line here. */
export function outputOf({ bundle }: OutputArgs): Output {
  return fileOutput(bundle)
}

// --- internal ---

const fileOutput = (path: string): Output => ({
  name: basename(path),
  write: async (prepared, network) => writeExport(await openFileMedium(path), prepared, network),
  writeLock: ({ lock }) => writeLock(`${path}.lock.json`, lock),
})
