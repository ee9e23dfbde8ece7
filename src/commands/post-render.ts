import { join, resolve } from 'node:path'
import type { Layout } from '../bundle/format/destination.ts'
import { PLUGIN_NAME } from '../bundle/charts/steps/post-render-plugin.ts'
import { rewriteManifests } from '../bundle/charts/post-render.ts'
import { createPrivateImages } from '../bundle/charts/private-images.ts'
import { writePostRenderer } from '../bundle/charts/steps/post-renderer.ts'
import { BundleError, codeOf, usageError } from '../lib/errors.ts'
import { whyUnwritable } from '../lib/file-errors.ts'
import { plural } from '../lib/format.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { exitCodes } from '../bundle/run/exit.ts'
import type { Args } from '../cli/args/flags.ts'
import { layoutArgs, layoutOf } from '../cli/flags/registry.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { awsArgs } from '../cli/flags/aws.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

const args = {
  bundle: { type: 'positional', description: 'Bundle that was imported' },
  ...layoutArgs,
  strict: {
    type: 'boolean',
    description: 'Fail when a reference to another registry is left, so that nothing is installed',
  },
  writePlugin: {
    type: 'string',
    hint: 'dir',
    description: 'Write a Helm plugin that calls this command with these arguments, and do nothing else',
  },
  ...volumesArgs,
  ...awsArgs,
  ...signatureArgs,
} as const

export default defineBundleCommand({
  name: 'post-render',
  description:
    'A Helm post-renderer: reads rendered manifests from standard input, points every reference to an image of the ' +
    'bundle to the private registry, and writes them to standard output. For images that no value reaches. Helm 3 ' +
    'before 3.21 keeps hooks from post-renderers; Helm 4 and a pipe do not.',
  examples: [
    {
      command: 'ma-bundle post-render bundle.tar --registry <host> --write-plugin ./ma-bundle-plugin',
      description: 'once',
    },
    {
      command: 'helm install x ./chart --post-renderer ./ma-bundle-plugin/post-render.sh',
      description: 'Helm 3',
    },
    {
      command: 'helm plugin install ./ma-bundle-plugin && helm install x ./chart --post-renderer ma-bundle',
      description: 'Helm 4',
    },
    {
      command: 'helm template ./chart | ma-bundle post-render bundle.tar --registry <host>',
      description: 'in a pipe',
    },
  ],
  args,
  dataOnStdout: ({ writePlugin }) => writePlugin === undefined,
  async run(given, session) {
    const layout = layoutOf(given)
    return withBundle(given.bundle, { ...session, ...given }, async ({ bundle }) => {
      const { roots } = bundle
      if (given.writePlugin !== undefined) {
        const folder = await writePlugin(given.writePlugin, given, layout)
        session.result({ plugin: folder, name: PLUGIN_NAME }, howToUse(folder))
        return exitCodes.ok
      }
      // Whole before it is decoded: a chunk may end inside a character.
      const chunks: Buffer[] = []
      for await (const chunk of session.stdin) chunks.push(Buffer.from(chunk))
      const input = Buffer.concat(chunks).toString('utf8')
      const own = `${layout.registry}/`
      const images = createPrivateImages(roots, layout)
      const { text, replaced, open } = rewriteManifests(input, images, (name) => name.startsWith(own))
      const fails = given.strict && open.length > 0
      // Helm installs what comes out even of a filter that says nothing; a failing one stops it before.
      if (!fails) session.stdout.write(text)
      session.note(`${plural(replaced.size, 'reference')} rewritten to ${layout.registry}\n`)
      if (session.verbose) for (const [from, to] of replaced) session.note(`  ${from} -> ${to}\n`)
      if (open.length > 0) {
        session.note(
          `${plural(open.length, 'reference')} to other registries left, not in the bundle${session.verbose || fails ? ':' : ' (--verbose lists them)'}\n`,
        )
        if (session.verbose || fails) for (const name of open) session.note(`  ${name}\n`)
      }
      session.result({ registry: layout.registry, replaced: replaced.size, open }, '')
      return fails ? exitCodes.failed : exitCodes.ok
    })
  },
})

// --- internal ---

/** @returns the folder, absolute */
async function writePlugin(to: string, given: Args<typeof args>, layout: Layout): Promise<string> {
  const flags = [
    ...given.volumes.map((folder) => `--volumes=${resolve(folder)}`),
    ...(given.strict ? ['--strict'] : []),
    ...(given.verifyKey === undefined ? [] : [`--verify-key=${resolve(given.verifyKey)}`]),
    ...(given.signature === undefined ? [] : [`--signature=${resolve(given.signature)}`]),
    ...(given.requireSignature ? ['--require-signature'] : []),
  ]
  try {
    return await writePostRenderer(to, { bundle: given.bundle, layout, flags })
  } catch (error) {
    if (error instanceof BundleError) throw error
    throw usageError(`cannot write the plugin: ${whyUnwritable(error) ?? codeOf(error) ?? 'unknown error'}`, {
      where: to,
      next: 'name another directory with --write-plugin',
      cause: error,
    })
  }
}

const howToUse = (folder: string): string =>
  [
    `Wrote a Helm plugin into ${folder}.`,
    `Helm 3: --post-renderer ${join(folder, 'post-render.sh')}`,
    `Helm 4: helm plugin install ${folder}, then --post-renderer ${PLUGIN_NAME}`,
    '',
  ].join('\n')
