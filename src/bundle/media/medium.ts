// Where a bundle lies: a file, volumes, S3, a pipe. Nothing outside of this room asks which one it is.
import type { Readable, Writable } from 'node:stream'
import type { RepairWriter } from '../../archive/edit-in-place.ts'
import type { SealedVolume } from '../../archive/volumes/volume.ts'
import type { S3Storage } from '../../aws/s3/object.ts'
import type { Bytes, RandomReader } from '../../lib/bytes/bytes.ts'
import { usageError } from '../../lib/errors.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Prepared } from '../export/prepared.ts'
import type { Filled } from '../export/write-archive.ts'
import type { Network } from '../run/network.ts'
import type { Surroundings } from '../run/surroundings.ts'

/** A place that holds a whole bundle. No command, and no room but this one, knows which kind it is. */
export interface Medium {
  readonly kind: 'file' | 'volumes' | 's3' | 'pipe'
  /** As messages call it: without folders. */
  readonly name: string
  /** Path without an ending, for files about it that are always written on this machine, such as a report. */
  readonly stem: string
  /** What it can do; callers decide by this, never by the kind. A pipe can do nothing of it. */
  readonly can: { readonly seek: boolean; readonly edit: boolean; readonly sidecar: boolean }
  /** The one volume that the name is of, when it is of one. */
  readonly volume?: OneVolume
  /** Bytes free there, when that can be known. */
  free(): Promise<number | undefined>
  /** @throws a usage error that says why a bundle cannot be written there, before any work begins */
  check(): Promise<void>
  /** @throws a usage error when it is not there, or cannot be read here and there */
  open(): Promise<RandomReader>
  /**
   * The file that has its name already, to be read while another is written in its place; nothing when there is none,
   * or when the two cannot be there at once.
   */
  earlier(): Promise<RandomReader | undefined>
  /** Hands its bytes over once, in order; whatever it holds is let go of when `use` ends. */
  stream<Result>(use: (bytes: Bytes) => Promise<Result>): Promise<Result>
  /** Writes the bundle; it gets its name when all of it is there. */
  write(prepared: Prepared, network: Network): Promise<WrittenBundle>
  /** Opens it to be repaired in place. @throws a usage error where that is impossible */
  edit(): Promise<RepairWriter>
  /** Deletes what an unfinished export left there. @returns whether there was one */
  abandon(): Promise<boolean>
  /** Where a small file about the bundle lies, or would lie. @throws a usage error where nothing can */
  sidecarAt(suffix: SidecarSuffix): string
  /** @param at another place for it. @returns nothing when there is none */
  readSidecar(suffix: SidecarSuffix, at?: string): Promise<Uint8Array | undefined>
  /** Writes it whole or not at all. @param at another place for it. @returns its name without folders */
  writeSidecar(suffix: SidecarSuffix, text: string, at?: string): Promise<string>
}

/** Small files that lie beside a bundle, and what errors call them. */
export const SIDECARS = { '.lock.json': 'lock', '.sig': 'signature' } as const
export type SidecarSuffix = keyof typeof SIDECARS

/** What a bundle came to, once it was written. */
export interface WrittenBundle extends Filled {
  /** What names it on the next command line; without folders. */
  readonly name: string
  /** How it gets to the other side: carried by hand, read from where it is, or sent already. */
  readonly travels: 'carried' | 'reached' | 'sent'
  /** The files it was cut into, and the name of their list. */
  readonly volumes?: { readonly list: string; readonly files: readonly SealedVolume[] }
  /** The one volume that was made again, and the list it was compared with or would have been. */
  readonly remade?: { readonly volume: string; readonly list: string; readonly compared: boolean }
}

/** A volume that can be checked without the others. */
export interface OneVolume {
  /** Reads all of it and compares it with the list of the volumes. @throws a usage error when no list is there */
  check(): Promise<{
    readonly number: number
    /** How many volumes the bundle has. */
    readonly of: number
    readonly size: number
    readonly digest: Digest
    /** Why it is not the one that is listed; undefined when it is. */
    readonly reason?: string
  }>
}

/** What a medium may need to know besides its name. */
export interface MediumOptions extends Surroundings {
  readonly stdin: Readable
  readonly stdout: Writable & { readonly isTTY?: boolean }
  /** More folders in which its volumes lie. */
  readonly volumes?: readonly string[]
  /** Standard input carries something else, such as a password. */
  readonly stdinTaken?: boolean
}

/** How a bundle is to be written. */
export interface WriteSettings {
  /** The most that a volume may have, bytes: writes volumes. */
  readonly split?: number | undefined
  /** Makes this one volume of an earlier export again; from 1 on. */
  readonly onlyVolume?: number | undefined
  /** The lock to export from. */
  readonly lock?: string | undefined
  /** How it is kept in S3. */
  readonly storage?: S3Storage | undefined
  /** It will be signed, and nothing says where the signature belongs but beside it. */
  readonly signed?: boolean | undefined
}

/** For media that are not read while they are written. */
export const noEarlier = (): Promise<undefined> => Promise.resolve(undefined)

/** For media that leave nothing behind but files that the next run continues. */
export const nothingToAbandon = (): Promise<never> =>
  Promise.reject(usageError('--abort is for exports to S3: s3://bucket/key'))

/** `Medium.stream` of what can be read anywhere. */
export async function streamOf<Result>(
  open: Medium['open'],
  use: (bytes: Bytes) => Promise<Result>,
): Promise<Result> {
  const file = await open()
  try {
    return await use(file.read(0, file.size))
  } finally {
    await file.close()
  }
}
