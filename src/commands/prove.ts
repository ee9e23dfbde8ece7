import { basename } from 'node:path'
import { holds, verdictLine } from '../bundle/charts/proof.ts'
import type { ChartProof } from '../bundle/format/chart-proof.ts'
import { closeAll, renderCharts } from '../bundle/charts/render-all.ts'
import { chartPath } from '../bundle/format/root.ts'
import { parseSpec } from '../bundle/spec/spec.ts'
import { BundleError, usageError } from '../lib/errors.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { helmArgs, openHelm } from '../cli/flags/helm.ts'
import { proofText } from '../cli/output/proof-text.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

const { prove: _prove, addMissing: _addMissing, ...args } = helmArgs

export default defineBundleCommand({
  name: 'prove',
  description:
    'Renders every chart of a bundle with a real helm and the override on top, and judges every image reference in ' +
    'every rendered object: bound, not bundled, or out of reach of values. Fails when any would still be pulled from outside.',
  examples: [
    { command: 'ma-bundle prove bundle.tar', description: 'with the charts’ own values' },
    {
      command: 'ma-bundle prove bundle.tar --consumer-values values.yaml --consumer-values valuesEks.yaml',
      description: 'with the values the charts will really get',
    },
  ],
  args: {
    bundle: { type: 'positional', description: 'Bundle to prove' },
    ...args,
    ...volumesArgs,
    ...signatureArgs,
  },
  async run(given, session) {
    await withBundle(given.bundle, { ...session, ...given }, async ({ bundle }) => {
      const { contents, roots } = bundle
      if (contents === undefined) throw usageError('a layout of another tool carries no charts to prove')
      const spec = parseSpec(contents.spec, `${contents.name}.yaml`)
      const helm = await openHelm({ ...given, prove: true, addMissing: false }, spec, session)
      if (helm === undefined) {
        throw usageError('there is no helm to prove with', {
          next: 'install helm 3 or 4, or give --helm <program>',
        })
      }
      const charts = roots.filter((root) => root.kind === 'chart')
      const packages = await Promise.all(
        charts.map(async ({ chart, version, name }) => ({
          chart,
          name,
          tgz: await bundle.content(chartPath(chart, version)),
        })),
      )
      const rendered = await renderCharts(packages, helm, session)
      const proofs: ChartProof[] = []
      try {
        for (const chart of rendered) proofs.push(await chart.prove(roots))
      } finally {
        await closeAll(rendered)
      }
      const unrendered = charts.length - rendered.length
      const proven = holds(proofs) && unrendered === 0
      const data = {
        bundle: basename(given.bundle),
        helm: helm.program.version,
        proven,
        unrendered,
        charts: proofs,
      }
      session.result(data, () => `${proofText(proofs, session)}${verdictLine(proofs)}\n`)
      if (proven) return
      throw new BundleError('not every image reference is bound', {
        kind: 'failed',
        where: basename(given.bundle),
        next: 'follow the remedies listed, or accept what is never switched on',
      })
    })
  },
})
