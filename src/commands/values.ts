import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseEcrHost } from '../aws/host.ts'
import type { Layout } from '../bundle/format/destination.ts'
import { registryNames, unboundImages } from '../bundle/charts/nodes/images.ts'
import { nodeConfig, NODE_FORMATS, type NodeFormat } from '../bundle/charts/nodes/nodes.ts'
import type { Bundle } from '../bundle/format/open.ts'
import { valuesFor } from '../bundle/charts/values.ts'
import { BundleError, codeOf, usageError } from '../lib/errors.ts'
import { whyUnwritable } from '../lib/file-errors.ts'
import { plural } from '../lib/format.ts'
import { didYouMean } from '../lib/text/suggest.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { replaceFile } from '../lib/bytes/write-whole.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { layoutArgs, layoutOf } from '../cli/flags/registry.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { awsArgs } from '../cli/flags/aws.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

export default defineBundleCommand({
  name: 'values',
  description:
    'Prints the Helm values override for a registry, from the bundle alone: for the chart that installs the others, or ' +
    'for one chart. Other formats configure nodes or admission, for images that no value reaches.',
  examples: [
    {
      command: 'ma-bundle values bundle.tar --registry <host> > values.yaml',
      description: 'the umbrella override',
    },
    {
      command: 'ma-bundle values bundle.tar --registry <host> --chart grafana',
      description: 'for helm install grafana',
    },
    {
      command: 'ma-bundle values bundle.tar --registry <host> --format containerd --output certs.d',
      description: 'mirrors for nodes',
    },
  ],
  args: {
    bundle: { type: 'positional', description: 'Bundle to compute from' },
    ...layoutArgs,
    pinDigests: {
      type: 'boolean',
      description: 'Write digests too, where a chart that helm has rendered takes them',
    },
    chart: { type: 'string', hint: 'name', description: 'The values of this chart on its own' },
    format: {
      type: 'enum',
      options: ['helm', ...NODE_FORMATS],
      default: 'helm',
      description: 'Values for Helm, mirror configuration for nodes, or a policy for admission',
    },
    onlyUnbound: {
      type: 'boolean',
      description: 'With a format for nodes: only the images that the values do not reach',
    },
    output: {
      type: 'string',
      alias: 'o',
      hint: 'dir',
      description: 'With a format for nodes: write its files into this directory',
    },
    ...volumesArgs,
    ...awsArgs,
    ...signatureArgs,
  },
  async run(args, session) {
    const layout = layoutOf(args)
    const { format, chart, onlyUnbound, output } = args
    if (format === 'helm' && (onlyUnbound || output !== undefined)) {
      throw usageError(`${onlyUnbound ? '--only-unbound' : '--output'} goes with a --format for nodes`, {
        next: `choose one of ${NODE_FORMATS.join(', ')}`,
      })
    }
    if (format !== 'helm' && chart !== undefined) throw usageError('--chart goes with --format helm')
    await withBundle(args.bundle, { ...session, ...args }, async ({ bundle }) => {
      if (format === 'helm') {
        const values = await valuesFor(bundle, layout, { pinDigests: args.pinDigests })
        const text = helmValues(values, chart)
        for (const relied of values?.relies ?? [])
          if (chart === undefined || relied.chart === chart)
            session.emit({ type: 'warning', message: relied.text, where: `chart ${relied.chart}` })
        session.result({ format, text }, text)
        return
      }
      const files = nodeFiles(bundle, format, layout, onlyUnbound)
      if (format !== 'kyverno' && parseEcrHost(layout.registry) !== undefined) {
        session.note(
          'A kubelet looks for the login of a mirrored name by its public host, and asks ECR for none: these mirrors pull ' +
            'from ECR only once the nodes are given credentials of their own. Values, post-render and kyverno need none.\n',
        )
      }
      if (output !== undefined) await writeFiles(output, files)
      session.result({ format, files, ...(output === undefined ? {} : { output }) }, () =>
        output === undefined
          ? files.map(({ text }) => text).join('\n')
          : `Wrote ${plural(files.length, 'file')} for ${format} into ${output}.\n`,
      )
    })
  },
})

// --- internal ---

function helmValues(values: Awaited<ReturnType<typeof valuesFor>>, chart: string | undefined): string {
  if (values === undefined) throw usageError('a layout of another tool has no charts, so no values')
  if (chart === undefined) return values.umbrella
  const text = values.charts.get(chart)
  if (text !== undefined) return text
  const names = [...values.charts.keys()]
  const hint = didYouMean(chart, names)
  throw usageError(
    `the bundle binds no image in a chart "${chart}"${hint === undefined ? '' : `; ${hint}`}`,
    {
      next:
        names.length === 0 ? 'it has no chart with known images' : `charts with values: ${names.join(', ')}`,
    },
  )
}

function nodeFiles(
  { roots, contents }: Bundle,
  format: NodeFormat,
  layout: Layout,
  onlyUnbound: boolean,
): ReturnType<typeof nodeConfig> {
  if (onlyUnbound && contents?.bound.some(({ rendered }) => rendered) !== true) {
    throw usageError('the bundle does not know which images its charts reach', {
      next: 'export it with helm installed, or leave --only-unbound out to cover all images',
    })
  }
  const images =
    onlyUnbound && contents !== undefined
      ? unboundImages(contents)
      : roots.filter((root) => root.kind === 'image')
  return nodeConfig(format, images, layout, registryNames(roots, contents))
}

async function writeFiles(folder: string, files: ReturnType<typeof nodeConfig>): Promise<void> {
  try {
    for (const { path, text } of files) {
      const file = join(folder, path)
      await mkdir(dirname(file), { recursive: true })
      await replaceFile(file, text)
    }
  } catch (error) {
    if (error instanceof BundleError) throw error
    throw usageError(
      `cannot write the configuration: ${whyUnwritable(error) ?? codeOf(error) ?? 'unknown error'}`,
      {
        where: folder,
        next: 'name another directory with --output',
        cause: error,
      },
    )
  }
}
