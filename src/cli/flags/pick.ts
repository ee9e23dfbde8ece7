import { imagesFound } from '../../bundle/charts/discover.ts'
import type { BoundChart } from '../../bundle/format/bound-chart.ts'
import type { Bundle } from '../../bundle/format/open.ts'
import { canonicalText } from '../../bundle/spec/hints.ts'
import { pickBundle, picksAll } from '../../bundle/spec/pick.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import type { Session } from '../session.ts'

/** Flags that take a part of what there is. */
export const pickArgs = {
  include: {
    type: 'string',
    multiple: true,
    hint: 'glob',
    description: 'Take only images, charts and files whose names fit, as in "quay.io/*"',
  },
  exclude: {
    type: 'string',
    multiple: true,
    hint: 'glob',
    description: 'Leave out images, charts and files whose names fit',
  },
  only: { type: 'string', multiple: true, hint: 'group', description: 'Take only this group of the spec' },
  without: { type: 'string', multiple: true, hint: 'group', description: 'Leave out this group of the spec' },
} as const satisfies ArgsDef

/** The part of a bundle that the flags want; charts that lose an image are named. */
export function pickedFrom(bundle: Bundle, args: Args<typeof pickArgs>, session: Session): Bundle {
  if (picksAll(args)) return bundle
  const { whole, lost } = pickBundle(bundle, args)
  warnOfLost(whole.contents?.bound ?? [], lost, session)
  return whole
}

/** Says which charts pull images that were left out. */
export function warnOfLost(
  charts: readonly BoundChart[],
  lost: readonly string[],
  { emit }: Pick<Session, 'emit'>,
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
      next: 'see that the cluster has it from elsewhere, or take it along',
    })
  }
}
