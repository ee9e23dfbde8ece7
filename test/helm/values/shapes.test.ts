import { describe, expect, test } from 'vitest'
import { readChart } from '../../../src/helm/values/chart/files.ts'
import { createHelm } from '../../../src/helm/values/render/helm.ts'
import { landOverride } from '../../../src/helm/values/write/try-override.ts'
import { prove } from '../../../src/helm/values/prove.ts'
import { findByRendering } from '../../../src/helm/values/search.ts'
import { pathText } from '../../../src/helm/values/tree.ts'
import { pack, PRIVATE } from '../../support/charts/shape.ts'
import { SHAPES } from '../../support/charts/shapes.ts'
import { helmBinary } from '../../support/helm.ts'

const destinationOf = (reference: string): string => `${PRIVATE}/${reference}`

for (const major of [3, 4] as const) {
  describe(`with helm ${major}`, () => {
    for (const chart of SHAPES) {
      test(`${chart.name}: ${chart.about}`, async () => {
        const helm = await createHelm(await helmBinary(major))
        const tgz = pack(chart)
        const renderer = await helm.open(tgz)
        try {
          const read = readChart(tgz)
          const search = await findByRendering(read, [], renderer)
          expect(search.failure).toBeUndefined()
          expect(
            search.bindings.map(({ path, references }) => [pathText(path), ...references.toSorted()]),
          ).toEqual(chart.bindings)
          expect(search.bindings.every(({ proven }) => proven)).toBe(true)
          expect(search.unreachable.map(({ reference }) => reference)).toEqual(chart.unreachable ?? [])

          const landed = await landOverride(read, [], search, renderer, { destinationOf })
          expect(landed.notLanded).toEqual([])
          expect(landed.values).toEqual(chart.override)

          const proof = await prove([], landed.values, renderer, search, {
            destinationOf,
            isPrivate: (reference) => reference.startsWith(`${PRIVATE}/`),
            isBundled: () => true,
          })
          expect(proof.failures).toEqual([])
          const open = proof.references.filter(({ verdict }) => verdict !== 'bound')
          const rendered = search.unreachable.filter(({ unrendered }) => unrendered !== true)
          expect(open.map(({ original }) => original)).toEqual(rendered.map(({ reference }) => reference))
        } finally {
          await renderer.close()
        }
      })
    }
  })
}
