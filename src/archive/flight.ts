import type { Beginning } from './left-content.ts'
import type { Claim } from './unfinished-mark.ts'

/** An entry that is being written. */
export interface EntryInFlight<Entry> {
  readonly entry: Entry
  /** Bytes of it that are written, which `hasher` has seen. */
  size: number
  readonly hasher: Bun.CryptoHasher
  /**
   * What was last written down of it. Only between two of its own pieces does the hash stand for what is written:
   * whoever else wants to know how far it is takes this.
   */
  latest: Claim
  synced: Claim | undefined
  /** Whether a piece was given to the disk and not taken whole. */
  isTorn: boolean
}

/** What is there of it, by what its hash has seen. */
export const claimOf = ({ size, hasher }: Beginning): Claim => ({
  bytes: size,
  digest: hasher.copy().digest('hex'),
})
