import type { Given } from './coerce.ts'

/** The section whose flags hold for every command that has them; a command's own section wins. */
export const sharedSection = 'all'

/**
 * A config file: a map of sections (`all`, or the name of a command), each a map of flags without their dashes.
 *
 *     all: { ca-file: corporate.pem }
 *     export: { spec: mine.yaml, mirror: [docker.io=mirror.example.com] }
 */
export interface Config {
  readonly file: string
  /** Sections in the file, and the flags in each. */
  readonly sections: ReadonlyMap<string, readonly string[]>
  /** What a section says of a flag, as text; undefined when it says nothing. */
  lookup(section: string, flag: string): readonly Given[] | undefined
  /** `file:line:column` of a section or of a flag in it. */
  position(section: string, flag?: string): string
}
