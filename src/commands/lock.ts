import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { prepareExport } from '../bundle/export/export.ts'
import { diffLock, formatChange } from '../bundle/spec/lock.ts'
import { mergeMirrors, parseMirrors } from '../registry/mirror.ts'
import { plural } from '../lib/format.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { helmArgs, addMissingOf, openHelm } from '../cli/flags/helm.ts'
import type { Lock } from '../bundle/spec/lock-file.ts'
import { loadSpecs } from '../setup/lists.ts'
import { platformsFrom } from '../setup/source.ts'
import { readLock, writeLock } from '../setup/lock-io.ts'
import { networkArgs, openNetwork } from '../cli/flags/network.ts'
import { imagesArg, listSettings, sourceArgs } from '../cli/flags/source.ts'

export default defineBundleCommand({
  name: 'lock',
  description:
    'Resolves every image, chart and file of a spec to its digest and writes them down. With a lock that is there ' +
    'already, it says what has changed since. With helm it also holds the image bindings and their proof, so that every ' +
    'export from it has the same bytes. Fetches manifests and charts, no layers.',
  examples: [
    { command: 'ma-bundle lock ma.lock.json', description: 'write or refresh the lock, and see what moved' },
    { command: 'ma-bundle export bundle.tar --lock ma.lock.json', description: 'take exactly that' },
  ],
  args: {
    file: { type: 'positional', description: 'Lock to write' },
    images: imagesArg,
    ...sourceArgs,
    ...helmArgs,
    ...networkArgs,
  },
  async run(args, session) {
    const { spec, text } = await loadSpecs(listSettings(args, args.images), session)
    const before = existsSync(args.file) ? await readLock(args.file) : undefined
    const platforms = platformsFrom(args.platform)
    const opened = await openHelm(args, spec, session)
    const { lock: whole } = await prepareExport({
      session: await openNetwork(args, session),
      spec,
      specText: text,
      groups: args.with,
      without: args.without,
      ...(platforms === undefined ? {} : { platforms }),
      allowMissingPlatforms: args.allowMissingPlatform,
      mirrors: mergeMirrors(parseMirrors(args.mirror), spec.mirrors),
      referrers: args.referrers,
      dropAttestations: args.attestations === 'drop',
      ...opened,
      addMissing: addMissingOf(args),
      requireProof: args.requireProof,
    })
    const lock = opened.helm === undefined ? withoutGuesses(whole) : whole
    const changes = before === undefined ? [] : diffLock(before, lock)
    await writeLock(args.file, lock)
    const count = lock.images.length + lock.charts.length + lock.files.length
    session.result({ lock: basename(args.file), items: count, isNew: before === undefined, changes }, () =>
      [
        ...changes.map(formatChange),
        before === undefined
          ? `Wrote ${basename(args.file)}: ${plural(count, 'item')} pinned.`
          : `Wrote ${basename(args.file)}: ${plural(count, 'item')} pinned, ${changes.length} changed.`,
        '',
      ].join('\n'),
    )
  },
})

// --- internal ---

/** Nothing of charts that no helm has rendered: an export that has one should still render them. */
function withoutGuesses({ export: made, ...pins }: Lock): Lock {
  return made === undefined || pins.charts.length > 0 ? pins : { ...pins, export: made }
}
