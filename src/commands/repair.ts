import { existsSync } from 'node:fs'
import { mendFile, mendVolumes } from '../archive/edit-in-place.ts'
import type { RandomReader } from '../lib/bytes/bytes.ts'
import { basename } from 'node:path'
import { isS3 } from '../aws/s3/location.ts'
import type { Bundle } from '../bundle/format/open.ts'
import { openBundle } from '../bundle/format/open.ts'
import { bundleDonor, registryDonor, type Donor } from '../bundle/verify/repair-sources.ts'
import { repairBundle, type Repaired } from '../bundle/verify/repair.ts'
import { integrityError, usageError } from '../lib/errors.ts'
import { openBundleFile } from '../cli/media/open-bundle.ts'
import { openNetwork, type NetworkArgs } from '../cli/flags/network.ts'
import { layoutOf, openTarget, type EcrArgs, type LayoutArgs } from '../cli/flags/registry.ts'
import { noSettings } from '../cli/flags/repository.ts'
import type { Session } from '../cli/session.ts'
import { areVolumes } from '../cli/flags/volumes.ts'

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
    const world = { ...session, volumes: args.volumes }
    if (isS3(from) || existsSync(from) || (await areVolumes(from, world))) {
      const file = await openBundleFile(from, world)
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
  const open = (): Promise<RandomReader> =>
    openBundleFile(args.bundle, { ...session, volumes: args.volumes, emit: () => undefined })
  const { parts } = await closed(open)
  const mending = parts === undefined ? mendFile(args.bundle) : mendVolumes(parts)
  try {
    return await repairBundle(open, mending, donor, { ...session, concurrency: args.concurrency })
  } finally {
    mending.close()
    for (const close of closers) await close()
  }
}

// --- internal ---

/** The file as it is, let go of again. */
async function closed(open: () => Promise<RandomReader>): Promise<RandomReader> {
  const file = await open()
  await file.close()
  return file
}
