import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { isS3 } from '../aws/s3-location.ts'
import type { Bundle } from '../bundle/open.ts'
import { openBundle } from '../bundle/open.ts'
import { bundleDonor, registryDonor, type Donor } from '../bundle/repair-content.ts'
import { repairBundle, type Repaired } from '../bundle/repair.ts'
import { integrityError, usageError } from '../lib/errors.ts'
import { openBundleFile } from './bundle-file.ts'
import { openNetwork, type NetworkArgs } from './network.ts'
import { layoutOf, openTarget, type EcrArgs, type LayoutArgs } from './registry.ts'
import { noSettings } from './repository-args.ts'
import type { Session } from './session.ts'

/** Of `--repair-from`: where the images came from. */
export const SOURCES = 'sources'

export type RepairArgs = Omit<LayoutArgs, 'registry'> &
  EcrArgs &
  NetworkArgs & { readonly bundle: string; readonly repairFrom: string; readonly volumes: readonly string[] }

/** Mends a bundle in place with another bundle, with a registry, or with the registries it was exported from. */
export async function repair(args: RepairArgs, session: Session): Promise<Repaired> {
  if (isS3(args.bundle)) {
    throw usageError('an object in S3 cannot be mended in place', {
      where: args.bundle,
      next: 'export it there again, or copy it from where it is whole',
    })
  }
  const closers: (() => Promise<void> | void)[] = []
  const donor = async (bundle: Bundle | undefined): Promise<Donor> => {
    const from = args.repairFrom
    if (isS3(from) || existsSync(from)) {
      const file = await openBundleFile(from, { ...session, volumes: args.volumes })
      closers.push(() => file.close())
      return bundleDonor(await openBundle(file))
    }
    if (bundle === undefined) {
      throw integrityError('the table of the bundle is damaged, which only another bundle can mend', {
        where: basename(args.bundle),
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
    return await repairBundle(args.bundle, donor, { ...session, concurrency: args.concurrency })
  } finally {
    for (const close of closers) await close()
  }
}
