import { imagesFound } from '../bundle/charts/discover.ts'
import type { BoundChart } from '../bundle/format/charts/bound-chart.ts'
import type { Bundle } from '../bundle/format/open.ts'
import type { Surroundings } from '../bundle/run/surroundings.ts'
import { canonicalText } from '../bundle/spec/hints.ts'
import { pickBundle, picksAll, type Picking } from '../bundle/spec/pick.ts'

/** The part of a bundle that is wanted; charts that lose an image are named. */
export function pickedFrom(bundle: Bundle, pick: Picking, around: Surroundings): Bundle {
  if (picksAll(pick)) return bundle
  const { whole, lost } = pickBundle(bundle, pick)
  warnOfLost(whole.contents?.bound ?? [], lost, around)
  return whole
}

/** Says which charts pull images that were left out. */
export function warnOfLost(
  charts: readonly BoundChart[],
  lost: readonly string[],
  { emit }: Pick<Surroundings, 'emit'>,
): void {
  const gone = new Set(lost.map(canonicalText))
  for (const bound of charts) {
    const { name, version } = { name: bound.chart, version: bound.version }
    const chart = { name, version, repository: '', key: name }
    const needed = imagesFound({ chart, bound }).on.filter((image) => gone.has(canonicalText(image)))
    if (needed.length === 0) continue
    emit({
      type: 'warning',
      message: `it pulls ${needed.join(', ')}, which ${needed.length === 1 ? 'is' : 'are'} left out`,
      where: `chart ${name} ${version}`,
      next: 'check that the cluster has it from elsewhere, or include it',
    })
  }
}
