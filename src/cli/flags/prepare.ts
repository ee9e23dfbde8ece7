import { prepareExport, type ExportOptions } from '../../bundle/export/export.ts'
import type { Prepared } from '../../bundle/export/prepared.ts'
import type { Session as Journey } from '../../bundle/run/network.ts'
import { mergeMirrors, parseMirrors } from '../../registry/mirror.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import { addMissingOf, openHelm, type HelmArgs } from './helm.ts'
import { readLock } from '../output/lock-io.ts'
import type { Session } from '../session.ts'
import { hubText } from '../output/forecast.ts'
import { pickSpec, picksAll } from '../../bundle/spec/pick.ts'
import { specText } from '../../bundle/spec/print.ts'
import type { BundleSpec } from '../../bundle/spec/spec.ts'
import { pickArgs, warnOfLost } from './pick.ts'
import { askedFor } from './replay.ts'
import { sourceArgs } from './source.ts'

/** Flags that say what to take, and the lock that pins it. */
export const prepareArgs = {
  ...pickArgs,
  ...sourceArgs,
  lock: {
    type: 'string',
    hint: 'file',
    description:
      'Take exactly what this lock pins; a tag that has moved is an error. The lock of an export makes the same bytes again',
  },
} as const satisfies ArgsDef

export type PrepareArgs = Args<typeof prepareArgs> & HelmArgs & { readonly images?: readonly string[] }

type PrepareOptions = Pick<ExportOptions, 'since' | 'known' | 'programs' | 'tolerateMissing'>

/** Resolves everything the flags ask for, and lays it out. */
export async function prepare(
  args: PrepareArgs,
  session: Session,
  network: Journey,
  { since, known, programs = [], tolerateMissing = false }: PrepareOptions = {},
): Promise<Prepared> {
  const lock = args.lock === undefined ? undefined : await readLock(args.lock)
  const asked = await askedFor(args, lock, session, args.images)
  // Groups that are left out are still those of the spec; what is picked makes a smaller one.
  const picking = { ...args, without: [] }
  const picked = picksAll(picking) ? undefined : pickSpec(asked.spec.spec, picking)
  const { spec, text } =
    picked === undefined ? asked.spec : { spec: picked.whole, text: specText(picked.whole) }
  // A lock's own bindings and proof are of everything that was exported then.
  const replay = picked === undefined ? asked.replay : undefined
  const opened = replay === undefined ? await openHelm(args, spec, session) : undefined
  const prepared = await prepareExport({
    session: network,
    spec,
    specText: text,
    ...asked.options,
    ...(picked === undefined ? {} : groupsIn(spec, asked.options)),
    ...opened,
    addMissing: addMissingOf(args),
    tolerateMissing,
    requireProof: args.requireProof,
    onHub: (budget) => session.note(`Docker Hub ${hubText(budget)}\n`),
    ...(since === undefined ? {} : { since }),
    ...(known === undefined ? {} : { known }),
    programs,
    ...(lock === undefined ? {} : { lock }),
    ...(replay === undefined ? {} : { replay }),
    mirrors: mergeMirrors(parseMirrors(args.mirror), spec.mirrors),
  })
  if (picked !== undefined) warnOfLost(prepared.bound, picked.lost, session)
  return prepared
}

// --- internal ---

/** The groups that are asked for, as far as they are among what was picked. */
function groupsIn({ groups }: BundleSpec, options: Pick<ExportOptions, 'groups' | 'without'>) {
  const isThere = (name: string): boolean => groups.some((group) => group.name === name)
  return { groups: options.groups.filter(isThere), without: (options.without ?? []).filter(isThere) }
}
