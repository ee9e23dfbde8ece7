import { place } from '../../../archive/tar.ts'
import { verified } from '../../../oci/verify.ts'
import { resumableHash } from './resumable-sha256.ts'
import type { ObjectProgress } from './progress.ts'
import type { Plan } from '../../format/plan.ts'
import type { StreamOptions } from '../../export/stream-archive.ts'

/** Entries that are too large to be fetched again are hashed so that another run can go on inside of them. */
export function verifierOf(plan: Plan, progress: ObjectProgress): NonNullable<StreamOptions['verifier']> {
  const entries = new Map(place(plan.entries).entries.map((entry) => [entry.path, entry]))
  return ({ path, descriptor, name }, start) => {
    const entry = entries.get(path)
    if (entry === undefined) return undefined
    const { dataAt } = entry
    const stops = progress.stopsIn(entry)
    const state = start === 0 ? undefined : progress.stateAt(dataAt + start)
    if (start === 0 ? stops.length === 0 : state === undefined) return undefined
    const begun = resumableHash({
      ...(state === undefined ? {} : { from: { size: start, state } }),
      stops: stops.map((stop) => stop - dataAt),
      onState: (size, reached) => progress.keep(dataAt + size, reached),
    })
    return (content) => verified(content, descriptor, `source ${name}`, begun)
  }
}
