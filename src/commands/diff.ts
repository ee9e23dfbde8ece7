import { basename } from 'node:path'
import { diffBundles } from '../bundle/inspect/diff.ts'
import { openBase } from '../bundle/media/base.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { diffData, diffText, sideOf } from '../cli/output/diff-text.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { awsArgs } from '../cli/flags/aws.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

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
    ...volumesArgs,
    ...awsArgs,
  },
  async run({ before, after, ...signing }, session) {
    const options = { ...session, ...signing }
    const old = await openBase(before, options)
    try {
      const now = await openBase(after, options)
      try {
        const found = await diffBundles(sideOf(old), sideOf(now))
        const data = { before: basename(before), after: basename(after), ...diffData(found) }
        session.result(data, () => diffText(found))
      } finally {
        await now.close()
      }
    } finally {
      await old.close()
    }
  },
})
