import type { ChartContents, ImageContents } from '../../format/contents.ts'
import type { Layout } from '../../format/destination.ts'
import { nodeConfig } from '../nodes/nodes.ts'
import { createPrivateImages } from '../private-images.ts'
import type { OverrideFacts } from '../values.ts'
import { chartWords, line } from './words.ts'

/** The file of the policy. */
export const POLICY = 'admission.yaml'

/** Kyverno from the private registry and the policy, when the bundle has all of it; else undefined. */
export function kyvernoSteps(
  { bound, roots }: OverrideFacts,
  charts: readonly ChartContents[],
  {
    layout,
    folder,
    chartFiles,
  }: { readonly layout: Layout; readonly folder: string; readonly chartFiles: readonly string[] },
): readonly string[] | undefined {
  const chart = charts.find((one) => one.chart === 'kyverno')
  const uses = bound.find((one) => one.chart === 'kyverno')?.uses
  if (chart === undefined || uses === undefined || !chartFiles.includes(chart.chart)) return undefined
  const images = createPrivateImages(roots, layout)
  const isWhole = uses.every(
    ({ need, reference }) => need !== 'needed' || images.rewrite(reference) !== undefined,
  )
  const from = ['kyverno', ...chartWords(layout, chart)]
  const into = ['--namespace', 'kyverno', '--create-namespace', '--wait', '-f', `${folder}/kyverno.yaml`]
  return isWhole
    ? [
        line('helm', 'upgrade', '--install', ...from, ...into),
        line('kubectl', 'apply', '-f', `${folder}/${POLICY}`),
      ]
    : undefined
}

/** Rewrites every image of the bundle in every pod. */
export const policyText = (facts: OverrideFacts, layout: Layout): string =>
  nodeConfig('kyverno', imagesOf(facts), layout)
    .map(({ text }) => text)
    .join('---\n')

export const imagesOf = ({ roots }: OverrideFacts): readonly ImageContents[] =>
  roots.filter((root): root is ImageContents => root.kind === 'image')
