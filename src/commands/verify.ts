import { basename } from 'node:path'
import { verifyBundle } from '../bundle/verify.ts'
import { integrityError } from '../lib/errors.ts'
import { formatBytes } from '../lib/format.ts'
import { openLocal } from './bundle-file.ts'
import { defineBundleCommand } from './command.ts'

export default defineBundleCommand({
  name: 'verify',
  description: 'Reads every byte of a bundle and compares it with its digest. Names each damaged entry.',
  examples: [{ command: 'ma-bundle verify bundle.tar', description: 'before the media leaves, and after it arrives' }],
  args: {
    bundle: { type: 'positional', description: 'Bundle to check' },
    concurrency: { type: 'integer', min: 1, max: 64, default: 4, description: 'Entries at a time' },
  },
  async run(args, session) {
    const file = await openLocal(args.bundle)
    try {
      const { entries, bytes, damaged } = await verifyBundle(file, { ...session, concurrency: args.concurrency })
      const name = basename(args.bundle)
      if (damaged.length === 0) {
        session.result({ bundle: name, entries, bytes, damaged }, `${name} is whole: ${entries} entries, ${formatBytes(bytes)}\n`)
        return
      }
      session.result({ bundle: name, entries, bytes, damaged }, () =>
        damaged.map(({ path, offset, reason }) => `${path} at byte ${offset}: ${reason}\n`).join(''),
      )
      throw integrityError(`${damaged.length} of ${entries} entries are damaged`, {
        where: name,
        next: 'copy the bundle again from where it was whole, or export it again',
      })
    } finally {
      await file.close()
    }
  },
})
