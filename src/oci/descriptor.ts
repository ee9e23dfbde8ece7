import type { Digest } from './digest.ts'
import type { Platform } from './platform.ts'

/**
 * Names content by type, digest and size (bytes).
 * https://github.com/opencontainers/image-spec/blob/main/descriptor.md
 */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: Digest
  readonly size: number
  readonly platform?: Platform
  readonly artifactType?: string
  readonly annotations?: Readonly<Record<string, string>>
  /** Where foreign layers can be had. */
  readonly urls?: readonly string[]
}
