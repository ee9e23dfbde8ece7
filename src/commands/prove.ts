import { basename } from 'node:path'
import { holds, neededOpen } from '../bundle/charts/proof.ts'
import { verdictLine } from '../bundle/charts/judge/verdict.ts'
import type { ChartProof } from '../bundle/format/chart-proof.ts'
import { closeAll, renderCharts } from '../bundle/charts/render-all.ts'
import { overrideFacts } from '../bundle/charts/values.ts'
import { proveAll } from '../bundle/charts/judge/prove-all.ts'
import { parseSpec } from '../bundle/spec/spec.ts'
import { BundleError, usageError } from '../lib/errors.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { helmArgs, openHelm } from '../cli/flags/helm.ts'
import { effortText } from '../cli/output/chart-table.ts'
import { proofText } from '../cli/output/proof-text.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { awsArgs } from '../cli/flags/aws.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

const { prove: _prove, addMissing: _addMissing, requireProof: _requireProof, ...args } = helmArgs

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
    ...awsArgs,
    ...signatureArgs,
  },
  async run(given, session) {
    await withBundle(given.bundle, { ...session, ...given }, async ({ bundle }) => {
      const { contents } = bundle
      if (contents === undefined) throw usageError('a layout of another tool carries no charts to prove')
      const spec = parseSpec(contents.spec, `${contents.name}.yaml`)
      const { helm } = await openHelm(
        { ...given, prove: true, addMissing: undefined, requireProof: false },
        spec,
        session,
      )
      if (helm === undefined) {
        throw usageError('there is no helm to prove with', {
          next: 'install helm 3 or 4, or give --helm <program>',
        })
      }
      const facts = await overrideFacts(bundle)
      if (facts === undefined) throw usageError('a layout of another tool carries no charts to prove')
      const charts = [...facts.packages].map(([chart, tgz]) => ({ chart, name: chart, tgz }))
      const { rendered, install } = await renderCharts(charts, helm, session)
      let proofs: readonly ChartProof[]
      try {
        proofs = await proveAll(rendered, { ...facts, install, bound: rendered.map(({ bound }) => bound) })
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
      session.note(`${effortText(rendered.map(({ bound: { chart }, effort }) => ({ chart, effort })))}\n`)
      session.result(data, () => `${proofText(proofs, session)}${verdictLine(proofs)}\n`)
      if (proven) return
      throw new BundleError(`not every image reference is bound${namesOf(proofs)}`, {
        kind: 'failed',
        where: basename(given.bundle),
        next: 'follow the remedies listed, or accept what is never switched on',
      })
    })
  },
})

// --- internal ---

function namesOf(proofs: readonly ChartProof[]): string {
  const names = new Set(proofs.flatMap(neededOpen).map(({ reference }) => reference))
  return names.size === 0 ? '' : `: ${[...names].join(', ')}`
}
