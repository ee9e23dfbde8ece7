import type { Prepared } from '../../bundle/export/prepared.ts'
import type { Filled } from '../../bundle/export/write-archive.ts'
import type { Session as Journey } from '../../bundle/run/network.ts'
import type { Signer } from '../../bundle/format/signature.ts'

/** Where an export goes. */
export interface Output {
  /** As messages call it: without folders. */
  readonly name: string
  /** What opens it again, when that is not the name on the command line. */
  readonly path?: string
  /**
   * Looks whether it can be written there, before anything is asked of anybody.
   * @throws a usage error that says why not
   */
  look?(): Promise<void>
  /** Writes the bundle; it gets its name when all of it is there. */
  write(prepared: Prepared, network: Journey): Promise<Filled>
  /** Writes the lock beside the bundle. */
  writeLock(prepared: Prepared): Promise<void>
  /** Signs what was written, when it cannot be read there. */
  sign?(prepared: Prepared, signer: Signer): Promise<{ readonly file: string; readonly algorithm: string }>
  /** What there is to say of the place, behind the result, when it was written. */
  told?(): Told
}

export interface Told {
  /** Of what was written, without folders. */
  readonly name: string
  readonly data: object
  readonly lines: readonly string[]
  /** The next step. */
  readonly next: string
}
