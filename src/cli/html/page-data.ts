import type { Anatomy } from '../../bundle/inspect/sizes.ts'
import type { Change } from '../../bundle/inspect/changes.ts'
import type { BundleDiff } from '../../bundle/inspect/diff.ts'
import type { SignatureState } from '../../bundle/media/trust.ts'

/** Everything an HTML report says. The same data make the same page, byte for byte. */
export interface PageData {
  /** File name of the bundle. */
  readonly file: string
  readonly anatomy: Anatomy
  readonly signature: SignatureState
  /** What changed since an older bundle. */
  readonly since?: {
    readonly file: string
    readonly changes: readonly Change[]
    readonly same: number
    readonly bytes?: BundleDiff['bytes']
  }
}
