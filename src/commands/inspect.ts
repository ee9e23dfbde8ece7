import { basename } from 'node:path'
import { openBundle } from '../bundle/open.ts'
import { verdictLine } from '../bundle/proof.ts'
import { formatBytes, plural } from '../lib/format.ts'
import { openBundleFile } from './bundle-file.ts'
import { defineBundleCommand } from './command.ts'
import { checkSignature, signatureArgs } from './signing.ts'
import { table } from './ui/table.ts'

export default defineBundleCommand({
  name: 'inspect',
  description: 'Lists what is in a bundle: images with their platforms, charts, files. Reads its table only.',
  examples: [
    { command: 'ma-bundle inspect bundle.tar', description: 'a table' },
    { command: 'ma-bundle inspect bundle.tar --json', description: 'for programs' },
  ],
  args: { bundle: { type: 'positional', description: 'Bundle to look into' }, ...signatureArgs },
  async run(args, session) {
    const file = await openBundleFile(args.bundle, session)
    try {
      const bundle = await openBundle(file)
      const signatureChecked = await checkSignature(bundle, args)
      const { contents, roots, archive } = bundle
      const { name = 'OCI layout of another tool', version } = contents ?? {}
      const absent = contents?.absent ?? []
      const data = {
        bundle: basename(args.bundle),
        name,
        version,
        signatureChecked,
        size: file.size,
        entries: archive.entries.size,
        roots,
        absent: { count: absent.length, bytes: absent.reduce((sum, blob) => sum + blob.size, 0) },
        proof: contents?.proof ?? [],
      }
      session.result(data, () => {
        const rows = roots.map((root) => [
          root.kind,
          root.name,
          root.digest.slice(0, 19),
          root.kind === 'image' ? root.platforms.join(' ') : '',
        ])
        const title = `${name}${version === undefined ? '' : ` ${version}`}: ${roots.length} items, ${formatBytes(file.size)}, ${archive.entries.size} entries`
        const listing = table(['kind', 'name', 'digest', 'platforms'], rows, session.columns)
        const left =
          absent.length === 0
            ? ''
            : `\nLeaves out ${plural(absent.length, 'blob')} (${formatBytes(data.absent.bytes)}): only a registry that has them takes it.\n`
        return `${title}\n\n${listing}\n${left}${contents === undefined ? '' : `\n${verdictLine(contents.proof)}\n`}`
      })
    } finally {
      await file.close()
    }
  },
})
