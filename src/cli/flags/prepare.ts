import { parseMirrors } from '../../registry/mirror.ts'
import { platformsFrom, type SourceSettings } from '../../setup/source.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import { addMissingOf, helmSettings, type HelmArgs } from './helm.ts'
import { listSettings, sourceArgs } from './source.ts'
import { pickArgs } from './pick.ts'

/** Flags that say what to take, and the lock that pins it. */
export const prepareArgs = {
  ...pickArgs,
  ...sourceArgs,
  lock: {
    type: 'string',
    hint: 'file',
    description:
      'Take exactly what this lock pins; a tag that has moved is an error. The lock of an export reproduces it byte for byte',
  },
} as const satisfies ArgsDef

export type PrepareArgs = Args<typeof prepareArgs> & HelmArgs & { readonly images?: readonly string[] }

/** What the flags say is to be taken, and where from. */
export const sourceSettings = (args: PrepareArgs): SourceSettings => ({
  lists: listSettings(args, args.images),
  groups: args.with,
  without: args.without,
  platforms: platformsFrom(args.platform),
  allowMissingPlatforms: args.allowMissingPlatform,
  mirrors: parseMirrors(args.mirror),
  referrers: args.referrers,
  dropAttestations: args.attestations === 'drop',
  lock: args.lock,
  helm: helmSettings(args),
  addMissing: addMissingOf(args),
  // Groups that are left out are still those of the spec; what is picked makes a smaller one.
  pick: { ...args, without: [] },
  requireProof: args.requireProof,
})
