import { unreadable } from '../archive/volumes/reader.ts'
import { locateDamages, type LocatedDamage } from '../bundle/media/volumes/locate-damage.ts'
import { openBundle, openOversized } from '../bundle/format/open.ts'
import { verifyBundle } from '../bundle/verify/verify.ts'
import { verifyRegistry, type RootState } from '../bundle/verify/registry.ts'
import { BundleError, integrityError, usageError } from '../lib/errors.ts'
import type { RandomReader } from '../lib/bytes/bytes.ts'
import { formatBytes } from '../lib/format.ts'
import { mediumAt } from '../bundle/media/at.ts'
import type { Medium } from '../bundle/media/medium.ts'
import { checkSignature, checkTrustOptions, type CheckedSignature } from '../bundle/media/trust.ts'
import { signedByData, signedByLines } from '../cli/output/signed-by.ts'
import { verifyPipe } from '../bundle/verify/stream.ts'
import { defineBundleCommand } from '../cli/command.ts'
import type { Args } from '../cli/args/flags.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { picksAll } from '../bundle/spec/pick.ts'
import { pickArgs } from '../cli/flags/pick.ts'
import { pickedFrom } from '../setup/pick.ts'
import { ecrArgs, layoutArgs, layoutOf, openTarget } from '../cli/flags/registry.ts'
import { repair } from './repair.ts'
import { noSettings } from '../cli/flags/repository.ts'
import { commandLine } from '../cli/output/command-line.ts'
import type { CommandSession } from '../cli/session.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import { REMAKE, verifyVolume } from './verify-volume.ts'

const { registry, ...placeArgs } = layoutArgs
const { required: _, ...optionalRegistry } = registry

const args = {
  bundle: { type: 'positional', description: 'Bundle to check, or - for standard input' },
  registry: {
    ...optionalRegistry,
    description: 'Compare this registry with the bundle instead: every tag, manifest and blob by digest',
  },
  deep: {
    type: 'boolean',
    description:
      'With --registry: read every blob there, which finds bytes that are not what their digest says',
  },
  repairFrom: {
    type: 'string',
    hint: 'place',
    description:
      'Repair what is damaged in place, from another bundle, from a registry it was imported into, or from "sources", where its images came from',
  },
  ...volumesArgs,
  ...signatureArgs,
  ...placeArgs,
  ...pickArgs,
  ...ecrArgs,
  ...networkArgs,
} as const

export default defineBundleCommand({
  name: 'verify',
  description:
    'Reads every byte of a bundle and compares it with its digest, naming each damaged entry with its place. ' +
    'With --registry it says what of the bundle is missing, changed or damaged there, which tags are extra, and ' +
    'which import makes it whole.',
  examples: [
    { command: 'ma-bundle verify bundle.tar', description: 'before the media leaves, and after it arrives' },
    {
      command: 'ma-bundle verify bundle.tar --registry <host>',
      description: 'after an import, or any time later; with --deep every byte there is read',
    },
    {
      command: 'ma-bundle verify bundle.tar --repair-from copy.tar',
      description: 'fetch again only what is damaged',
    },
  ],
  args,
  async run(given, session) {
    if (given.registry === undefined && !picksAll(given)) {
      throw usageError('a bundle is checked whole: what is picked only counts with --registry', {
        next: 'leave --include, --exclude, --only and --without out, or name the registry',
      })
    }
    const medium = await mediumAt(given.bundle, { ...session, volumes: given.volumes })
    const isRead = given.registry === undefined && given.repairFrom === undefined
    const isSigned = given.verifyKey !== undefined || given.requireSignature
    if (isRead && !medium.can.seek) return verifyOnce(medium, given, session)
    // A volume is named, and nothing is asked for that takes the others.
    if (isRead && !isSigned && medium.volume !== undefined)
      return verifyVolume(medium.volume, medium.name, session)
    const file = await medium.open()
    const opened = { medium, file }
    try {
      const isMended = given.repairFrom !== undefined && given.verifyKey !== undefined
      const signed = isMended ? undefined : await checkSigned(opened, given)
      if (given.registry === undefined) await checkBytes(opened, given, session, signed)
      else await checkRegistry(opened, { ...given, registry: given.registry }, session)
    } finally {
      await file.close()
    }
  },
})

// --- internal ---

const damageText = ({ path, offset, reason, volumes }: LocatedDamage): string =>
  `${path} at byte ${offset}${volumes === undefined ? '' : `, in ${volumes.join(' or ')}`}: ${reason}`

type Given = Args<typeof args>

/** The import that makes good what was found. */
function mendingCommand(given: Given, wrong: readonly RootState[]): string {
  const has = (state: RootState['state']): boolean => wrong.some((root) => root.state === state)
  const flags = has('damaged') ? ['--repair', '--deep'] : has('incomplete') ? ['--repair'] : []
  const def = { ...layoutArgs, ...pickArgs, ...volumesArgs, ...signatureArgs, ...ecrArgs, ...networkArgs }
  return commandLine(['import', given.bundle], def, given, flags)
}

interface OpenFile {
  readonly medium: Medium
  readonly file: RandomReader
}

/** Verifies a bundle that comes once, in one pass. */
async function verifyOnce(medium: Medium, given: Given, session: CommandSession): Promise<void> {
  checkTrustOptions(medium, given)
  const { entries, bytes, damaged, sums } = await medium.stream((piped) => verifyPipe(piped, session))
  const signed = await checkSignature({ sums }, medium, given)
  session.result({ bundle: medium.name, entries, bytes, damaged, ...signedByData(signed) }, () =>
    damaged.length === 0
      ? `${[`The bundle is whole: ${entries} entries, ${formatBytes(bytes)}`, ...signedByLines(signed)].join('\n')}\n`
      : damaged.map((damage) => `${damageText(damage)}\n`).join(''),
  )
  if (damaged.length === 0) return
  throw integrityError(`${damaged.length} of ${entries} entries are damaged`, {
    where: medium.name,
    next: 'verify it on the sending side, and send it again',
  })
}

async function checkSigned({ medium, file }: OpenFile, given: Given): Promise<CheckedSignature | undefined> {
  if (given.verifyKey === undefined && !given.requireSignature) return undefined
  // What it holds beyond its table is reported with all other damage.
  return checkSignature(await openOversized(file), medium, given)
}

async function checkBytes(
  opened: OpenFile,
  given: Given,
  session: CommandSession,
  signed: CheckedSignature | undefined,
): Promise<void> {
  const { medium, file } = opened
  const { repairFrom } = given
  const { name } = medium
  const lacking = (file.parts ?? []).filter(({ fault }) => fault !== undefined)
  if (lacking.length > 0) throw unreadable(lacking)
  const repaired = repairFrom === undefined ? undefined : await repair({ ...given, repairFrom }, session)
  // What was signed may itself have been damaged before.
  const signature = repaired === undefined ? signed : await checkSigned(opened, given)
  const { entries, bytes, ...found } =
    repaired?.after ?? (await verifyBundle(file, { ...session, concurrency: given.concurrency }))
  const damaged = await locateDamages(file, found.damaged, session)
  const mended = repaired?.before.filter(({ path }) => damaged.every((left) => left.path !== path)) ?? []
  for (const { path, offset } of mended) session.note(`repaired ${path} at byte ${offset}\n`)
  session.result(
    {
      bundle: name,
      entries,
      bytes,
      damaged,
      ...(repaired === undefined ? {} : { mended }),
      ...signedByData(signature),
    },
    () =>
      damaged.length === 0
        ? `${[`${name} is whole: ${entries} entries, ${formatBytes(bytes)}`, ...signedByLines(signature)].join('\n')}\n`
        : damaged.map((damage) => `${damageText(damage)}\n`).join(''),
  )
  if (damaged.length === 0) return
  throw integrityError(`${damaged.length} of ${entries} entries are damaged`, {
    where: name,
    next:
      file.parts === undefined
        ? 'copy the bundle again from where it was undamaged, or repair it in place with --repair-from <other bundle, registry or sources>'
        : REMAKE,
  })
}

async function checkRegistry(
  { medium, file }: OpenFile,
  given: Omit<Given, 'registry'> & { readonly registry: string },
  session: CommandSession,
): Promise<void> {
  const layout = layoutOf(given)
  const opened = await openTarget({ ...given, ...noSettings }, session)
  try {
    const whole = await openBundle(file)
    const { roots, extra } = await verifyRegistry(pickedFrom(whole, given, session), opened.target, {
      ...opened.network,
      layout,
      deep: given.deep,
      all: whole.roots,
    })
    const wrong = roots.filter(({ state }) => state !== 'there')
    session.result({ bundle: medium.name, registry: layout.registry, roots, extra }, () =>
      [
        ...wrong.map(
          ({ state, name, repository, found }) => `${state}: ${name} (${repository}, ${found ?? ''})`,
        ),
        ...extra.map((tag) => `extra: ${tag}`),
        `${roots.length - wrong.length} of ${roots.length} are in ${layout.registry} ${given.deep ? 'byte for byte' : 'by digest'}, ${extra.length} tags are extra.`,
        '',
      ].join('\n'),
    )
    if (wrong.length === 0) return
    throw new BundleError(
      `${wrong.length} of ${roots.length} are not in the registry as the bundle has them`,
      {
        kind: wrong.some(({ state }) => state === 'changed' || state === 'damaged') ? 'integrity' : 'failed',
        where: `destination ${layout.registry}`,
        next: `push what is missing or wrong with: ${mendingCommand(given, wrong)}`,
      },
    )
  } finally {
    opened.close()
  }
}
