import { nodeConfig, NODE_FORMATS } from '../bundle/node-config.ts'
import { openBundle } from '../bundle/open.ts'
import { valuesFor } from '../bundle/values.ts'
import { usageError } from '../lib/errors.ts'
import { didYouMean } from '../lib/suggest.ts'
import { openLocal } from './bundle-file.ts'
import { defineBundleCommand } from './command.ts'
import { layoutArgs, layoutOf } from './registry.ts'

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
      command: 'ma-bundle values bundle.tar --registry <host> --format containerd',
      description: 'mirrors for nodes',
    },
  ],
  args: {
    bundle: { type: 'positional', description: 'Bundle to compute from' },
    ...layoutArgs,
    chart: { type: 'string', hint: 'name', description: 'The values of this chart on its own' },
    format: {
      type: 'enum',
      options: ['helm', ...NODE_FORMATS],
      default: 'helm',
      description: 'Values for Helm, or mirror configuration',
    },
  },
  async run(args, session) {
    const layout = layoutOf(args)
    const file = await openLocal(args.bundle)
    try {
      const bundle = await openBundle(file)
      const { format } = args
      const text =
        format === 'helm'
          ? helmValues(await valuesFor(bundle, layout), args.chart)
          : nodeConfig(format, bundle.roots, layout)
      session.result({ format, text }, text)
    } finally {
      await file.close()
    }
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
