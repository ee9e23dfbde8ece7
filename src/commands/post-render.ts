import { createPrivateImages } from '../bundle/private-reference.ts'
import { openBundle } from '../bundle/open.ts'
import { rewriteManifests } from '../bundle/post-render.ts'
import { openLocal } from './bundle-file.ts'
import { defineBundleCommand } from './command.ts'
import { layoutArgs, layoutOf } from './registry.ts'

export default defineBundleCommand({
  name: 'post-render',
  description:
    'A Helm post-renderer: reads rendered manifests from standard input, points every reference to an image of the ' +
    'bundle to the private registry, and writes them to standard output. For images that no value reaches.',
  examples: [
    {
      command:
        'helm install x ./chart --post-renderer ma-bundle --post-renderer-args post-render ' +
        '--post-renderer-args bundle.tar --post-renderer-args --registry=<host>',
      description: 'Helm 3',
    },
    {
      command: 'helm template ./chart | ma-bundle post-render bundle.tar --registry <host>',
      description: 'in a pipe',
    },
  ],
  args: { bundle: { type: 'positional', description: 'Bundle that was imported' }, ...layoutArgs },
  dataOnStdout: () => true,
  async run(args, session) {
    const layout = layoutOf(args)
    const file = await openLocal(args.bundle)
    try {
      const { roots } = await openBundle(file)
      let input = ''
      for await (const chunk of session.stdin) input += String(chunk)
      const { text, replaced } = rewriteManifests(input, createPrivateImages(roots, layout))
      session.stdout.write(text)
      session.note(`${replaced.size} references now point to ${layout.registry}\n`)
    } finally {
      await file.close()
    }
  },
})
