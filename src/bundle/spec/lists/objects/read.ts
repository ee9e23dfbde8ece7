import type { ListingWriter, ListPlace } from '../listing.ts'
import { namesCharts, readCharts } from './charts.ts'
import { readImages, type FindLine } from './images.ts'
import type { KubeObject } from './object.ts'

/**
 * What Kubernetes objects pull: their images and the charts they have installed.
 * @param all every object of this run, in which repositories are looked up
 */
export function readObjects(
  objects: readonly KubeObject[],
  all: readonly KubeObject[],
  find: FindLine,
  to: ListingWriter,
): void {
  for (const object of objects) {
    readCharts(object, all, to)
    if (!namesCharts(object)) readImages(object, find, to)
  }
}

/** Finds texts by looking for them from where their object begins; what is encoded is on the object's own line. */
export function lineFinder(text: string): FindLine {
  const starts: number[] = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  const known = new Map<string, ListPlace>()
  return (wanted, from) => {
    const key = `${from.line} ${wanted}`
    const before = known.get(key)
    if (before !== undefined) return before
    const found = text.indexOf(wanted, starts[(from.line ?? 1) - 1] ?? 0)
    const line = found < 0 ? (from.line ?? 1) : lineAt(starts, found)
    const place = { file: from.file, line }
    known.set(key, place)
    return place
  }
}

// --- internal ---

function lineAt(starts: readonly number[], offset: number): number {
  let [low, high] = [0, starts.length]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((starts[middle] ?? 0) <= offset) low = middle
    else high = middle
  }
  return low + 1
}
