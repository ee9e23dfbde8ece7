import { describe, expect, it } from 'vitest'
import { driftOf } from '../../../src/bundle/charts/discover.ts'
import { installOf } from '../../../src/bundle/charts/judge/install.ts'
import type { BoundChart } from '../../../src/bundle/format/charts/bound-chart.ts'
import { loadSpec } from '../../../src/bundle/spec/bundled.ts'
import { imagesOf, parseSpec } from '../../../src/bundle/spec/spec.ts'

const bound = (chart: string, uses: NonNullable<BoundChart['uses']>): BoundChart => ({
  chart,
  version: '1.0.0',
  rendered: true,
  bindings: [],
  notLanded: [],
  unreachable: [],
  uses,
})

const listOf = (text: string) => {
  const spec = parseSpec(text, 'spec.yaml')
  return { spec, images: imagesOf(spec.groups), install: installOf(spec, []) }
}

const chart = {
  name: 'shop',
  version: '1.0.0',
  repository: 'https://charts.example',
  key: 'shop',
}

describe('what a list has wrong', () => {
  it('is what the installation needs and the list lacks, not what waits for a switch', () => {
    const { spec, images, install } = listOf(
      'images: ["quay.io/a/server:1", "quay.io/a/metrics:3", "quay.io/a/gone:1", "quay.io/a/old:1"]\n',
    )
    const shop = bound('shop', [
      { reference: 'quay.io/a/server:1', at: 'Deployment/a', need: 'needed' },
      { reference: 'quay.io/a/old:2', at: 'Deployment/b', need: 'needed' },
      { reference: 'quay.io/a/job:9', at: 'Job/c', need: 'needed' },
      { reference: 'quay.io/a/metrics:3', at: 'Deployment/d', need: 'on-demand', when: 'metrics is true' },
      { reference: 'quay.io/a/extra:3', at: 'Deployment/e', need: 'on-demand', when: 'extra is true' },
    ])
    expect(driftOf(images, [{ chart, bound: shop }], spec, install)).toEqual({
      changed: [{ from: 'quay.io/a/old:1', to: 'quay.io/a/old:2' }],
      missing: ['quay.io/a/job:9'],
      gone: ['quay.io/a/gone:1'],
    })
  })

  it.each(['2.6.4', '3.3.6'])(
    'is not what the consumer chart of a bundled spec pulls itself (%s)',
    async (version) => {
      const { spec } = await loadSpec(`migration-assistant-${version}`)
      const consumed = new Set(
        (spec.consumer?.bindings ?? []).flatMap(({ reference, also }) => [reference, ...also]),
      )
      const images = imagesOf(spec.groups)
      expect(consumed.size).toBeGreaterThan(0)
      const { gone } = driftOf(images, [], spec, installOf(spec, []))
      expect(gone.filter((name) => consumed.has(name))).toEqual([])
      // A list without what is known beside the charts would lose them.
      const { consumer: _consumer, ...bare } = spec
      const without = driftOf(
        images,
        [],
        { ...bare, hints: new Map(), bindings: new Map() },
        installOf(spec, []),
      )
      expect(without.gone.length).toBeGreaterThan(gone.length)
    },
  )
})
