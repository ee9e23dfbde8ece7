import { basename } from 'node:path'
import { holds, neededOpen } from '../bundle/charts/proof.ts'
import { verdictLine } from '../bundle/charts/judge/verdict.ts'
import type { ChartProof } from '../bundle/format/charts/chart-proof.ts'
import { closeAll, renderCharts } from '../bundle/charts/render-all.ts'
import { overrideFacts } from '../bundle/charts/values.ts'
import { proveAll } from '../bundle/charts/judge/prove-all.ts'
import { privateManifests, type PrivateManifest } from '../bundle/charts/private-manifests.ts'
import { DEFAULT_CHART_PREFIX, DEFAULT_PREFIX } from '../bundle/format/destination.ts'
import type { Bundle } from '../bundle/format/open.ts'
import { plural } from '../lib/format.ts'
import type { CommandSession } from '../cli/session.ts'
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
    'Renders every chart of a bundle with a real helm and the override on top, and checks every image reference in ' +
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
      const manifests = provenManifests(bundle)
      if (manifests.length > 0 && bundle.roots.every(({ kind }) => kind !== 'chart'))
        return show(given.bundle, manifests, session)
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
      const open = openIn(manifests)
      const proven = holds(proofs) && unrendered === 0 && open.length === 0
      const data = {
        bundle: basename(given.bundle),
        helm: helm.program.version,
        proven,
        unrendered,
        charts: proofs,
        ...(manifests.length === 0 ? {} : { manifests }),
      }
      session.note(`${effortText(rendered.map(({ bound: { chart }, effort }) => ({ chart, effort })))}\n`)
      session.result(
        data,
        () => `${proofText(proofs, session)}${verdictLine(proofs)}\n${manifestsText(manifests, open)}`,
      )
      if (proven) return
      throw unproven(given.bundle, proofs, open)
    })
  },
})

// --- internal ---

/** Where a registry is does not matter to whether a manifest can be pointed to it. */
const SOMEWHERE = {
  registry: 'registry.invalid',
  path: '',
  prefix: DEFAULT_PREFIX,
  chartPrefix: DEFAULT_CHART_PREFIX,
}

type ProvenManifest = Omit<PrivateManifest, 'text'>

const openIn = (manifests: readonly ProvenManifest[]): readonly string[] =>
  manifests.flatMap((one) => one.open.map((reference) => `${one.name}: ${reference}`))

/** Of a bundle without charts, which needs no helm. */
function show(bundle: string, manifests: readonly ProvenManifest[], session: CommandSession): void {
  const open = openIn(manifests)
  const data = { bundle: basename(bundle), proven: open.length === 0, unrendered: 0, charts: [], manifests }
  session.result(data, manifestsText(manifests, open))
  if (open.length > 0) throw unproven(bundle, [], open)
}

const unproven = (bundle: string, proofs: readonly ChartProof[], open: readonly string[]): BundleError =>
  new BundleError(`not every image reference is bound${namesOf(proofs, open)}`, {
    kind: 'failed',
    where: basename(bundle),
    next: 'follow the remedies listed, or accept what is never switched on',
  })

const provenManifests = (bundle: Bundle): readonly ProvenManifest[] =>
  (privateManifests(bundle, SOMEWHERE)?.manifests ?? []).map(({ name, replaced, open }) => ({
    name,
    replaced,
    open,
  }))

function manifestsText(manifests: readonly ProvenManifest[], open: readonly string[]): string {
  if (manifests.length === 0) return ''
  const replaced = manifests.reduce((sum, one) => sum + one.replaced, 0)
  const left = open.length === 0 ? 'none still public' : `${open.length} still public: ${open.join(', ')}`
  return `Proof: ${plural(replaced, 'reference')} of ${plural(manifests.length, 'manifest')} bound, ${left}.\n`
}

function namesOf(proofs: readonly ChartProof[], open: readonly string[]): string {
  const names = new Set([...proofs.flatMap(neededOpen).map(({ reference }) => reference), ...open])
  return names.size === 0 ? '' : `: ${[...names].join(', ')}`
}
