import type { Bundle } from '../bundle/format/open.ts'
import { checkTrust, type SignatureOptions } from '../bundle/media/trust.ts'
import { openBundle } from '../bundle/format/open.ts'
import { bundleDonor, registryDonor, type Donor } from '../bundle/verify/repair-sources.ts'
import { repairBundle, type Repaired } from '../bundle/verify/repair.ts'
import { silent } from '../lib/events.ts'
import { integrityError } from '../lib/errors.ts'
import { findMedium, mediumAt } from '../bundle/media/at.ts'
import { openNetwork, type NetworkArgs } from '../cli/flags/network.ts'
import { layoutOf, openTarget, type EcrArgs, type LayoutArgs } from '../cli/flags/registry.ts'
import { noSettings } from '../cli/flags/repository.ts'
import type { CommandSession } from '../cli/session.ts'

/** Of `--repair-from`: where the images came from. */
export const SOURCES = 'sources'

export type RepairArgs = Omit<LayoutArgs, 'registry'> &
  EcrArgs &
  NetworkArgs &
  SignatureOptions & {
    readonly bundle: string
    readonly repairFrom: string
    readonly volumes: readonly string[]
  }

/** Repairs a bundle in place with another bundle, with a registry, or with the registries it was exported from. */
export async function repair(args: RepairArgs, session: CommandSession): Promise<Repaired> {
  const options = { ...session, volumes: args.volumes }
  // What is missing or wrong was reported when it was opened for the first time.
  const medium = await mediumAt(args.bundle, { ...options, emit: silent })
  const writer = await medium.edit()
  const closers: (() => Promise<void> | void)[] = []
  const donor = async (bundle: Bundle | undefined): Promise<Donor> => {
    const from = args.repairFrom
    const other = await findMedium(from, options)
    if (other !== undefined) {
      const file = await other.open()
      closers.push(() => file.close())
      const found = await openBundle(file)
      // Without a rule of the site, what it gives is judged by its digests alone.
      if (args.requireSignature === true) await checkTrust(found, other, { ...args, signature: undefined })
      return bundleDonor(found)
    }
    if (bundle === undefined) {
      throw integrityError('the table of the bundle is damaged, which only another bundle can repair', {
        where: medium.name,
        next: 'name another copy of the same bundle with --repair-from',
      })
    }
    if (from === SOURCES) return registryDonor(bundle, (await openNetwork(args, session)).client)
    const place = { ...args, registry: from }
    const opened = await openTarget({ ...place, ...noSettings }, session)
    closers.push(() => opened.close())
    return registryDonor(bundle, opened.network.client, layoutOf(place))
  }
  try {
    return await repairBundle(() => medium.open(), writer, donor, {
      ...session,
      concurrency: args.concurrency,
    })
  } finally {
    await writer.close()
    for (const close of closers) await close()
  }
}
