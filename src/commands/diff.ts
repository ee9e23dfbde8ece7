import { basename } from 'node:path'
import { diffBundles, type BundleDiff, type Side } from '../bundle/diff.ts'
import { formatChange, type LockChange } from '../bundle/lock.ts'
import { formatBytes, plural } from '../lib/format.ts'
import { openBase, type BaseFile } from './base-file.ts'
import { defineBundleCommand } from './command.ts'
import { checkSignature, signatureArgs, type SignatureArgs } from './signing.ts'

export default defineBundleCommand({
  name: 'diff',
  description:
    'Says what changed from one bundle to the next: images, charts and files that came, went or have another digest, ' +
    'and how many bytes are new. Either may be a lock. Reads tables and manifests, no layers.',
  examples: [
    { command: 'ma-bundle diff old.tar new.tar', description: 'before carrying it' },
    {
      command: 'ma-bundle diff old.tar.lock.json new.tar --json',
      description: 'with the lock of the old one',
    },
  ],
  args: {
    before: { type: 'positional', description: 'The older bundle, or its lock' },
    after: { type: 'positional', description: 'The newer bundle, or its lock' },
    verifyKey: {
      ...signatureArgs.verifyKey,
      description: 'Public key (PEM) that must have signed each bundle; a lock has no signature',
    },
    requireSignature: signatureArgs.requireSignature,
  },
  async run({ before, after, ...signing }, session) {
    const old = await openBase(before, session)
    try {
      await checkSide(old, before, signing)
      const now = await openBase(after, session)
      try {
        await checkSide(now, after, signing)
        const found = await diffBundles(sideOf(old), sideOf(now))
        const data = { before: basename(before), after: basename(after), ...dataOf(found) }
        session.result(data, () => textOf(found))
      } finally {
        await now.close()
      }
    } finally {
      await old.close()
    }
  },
})

// --- internal ---

async function checkSide(
  file: BaseFile,
  path: string,
  signing: Omit<SignatureArgs, 'signature'>,
): Promise<void> {
  if (file.kind === 'bundle')
    await checkSignature(file.bundle, { ...signing, bundle: path, signature: `${path}.sig` })
}

function sideOf(file: BaseFile): Side {
  if (file.kind === 'bundle') return { bundle: file.bundle }
  if (file.kind === 'lock') return { lock: file.lock }
  throw new Error('an inventory was not asked for')
}

const isAdded = ({ before }: LockChange): boolean => before === undefined
const isRemoved = ({ after }: LockChange): boolean => after === undefined
const isChanged = (change: LockChange): boolean => !isAdded(change) && !isRemoved(change)

const dataOf = ({ changes, same, bytes }: BundleDiff) => ({
  added: changes.filter(isAdded),
  removed: changes.filter(isRemoved),
  changed: changes.filter(isChanged),
  same,
  ...(bytes === undefined ? {} : { new: bytes.fresh, shared: bytes.shared }),
})

function textOf({ changes, same, bytes }: BundleDiff): string {
  const count = (is: (change: LockChange) => boolean): number => changes.filter(is).length
  const { fresh, shared } = bytes ?? {}
  return [
    ...changes.map(formatChange),
    `${count(isAdded)} added, ${count(isRemoved)} removed, ${count(isChanged)} changed, ${same} the same.`,
    ...(fresh === undefined || shared === undefined
      ? []
      : [
          `${formatBytes(fresh.bytes)} in ${plural(fresh.count, 'blob')} are new, ` +
            `${formatBytes(shared.bytes)} in ${plural(shared.count, 'blob')} are in both.`,
        ]),
    '',
  ].join('\n')
}
