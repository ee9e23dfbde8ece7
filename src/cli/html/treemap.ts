/** Where a thing lies, in the unit of the area it was laid out in. */
export interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/**
 * Fills `area` with one rectangle a weight, each as large as its share and as square as can be: Bruls, Huizing and van
 * Wijk, "Squarified Treemaps" (2000), https://vanwijk.win.tue.nl/stm.pdf.
 * @param weights the largest first, none negative; the result is in the same order
 */
export function squarify(weights: readonly number[], area: Rectangle): readonly Rectangle[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  if (total <= 0) return weights.map(() => ({ x: area.x, y: area.y, width: 0, height: 0 }))
  const scale = (area.width * area.height) / total
  const sizes = weights.map((weight) => weight * scale)
  const placed: Rectangle[] = []
  let free = area
  let start = 0
  while (start < sizes.length) {
    const side = Math.min(free.width, free.height)
    let end = start + 1
    while (
      end < sizes.length &&
      worst(sizes.slice(start, end + 1), side) <= worst(sizes.slice(start, end), side)
    )
      end += 1
    const row = sizes.slice(start, end)
    placed.push(...layRow(row, free))
    free = without(row, free)
    start = end
  }
  return placed
}

// --- internal ---

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0)

/** The worst ratio of sides in a row along `side`; 1 is a square. */
function worst(row: readonly number[], side: number): number {
  const depth = sum(row) / side
  if (!(depth > 0)) return Number.POSITIVE_INFINITY
  return Math.max(
    ...row.map((size) => {
      const length = size / depth
      return length === 0 ? Number.POSITIVE_INFINITY : Math.max(length / depth, depth / length)
    }),
  )
}

/** A row stands along the shorter side, so that what is left stays as square as can be. */
function layRow(row: readonly number[], { x, y, width, height }: Rectangle): readonly Rectangle[] {
  const stands = width >= height
  const side = stands ? height : width
  const depth = side > 0 ? sum(row) / side : 0
  let at = 0
  return row.map((size) => {
    const length = depth > 0 ? size / depth : 0
    const rectangle = stands
      ? { x, y: y + at, width: depth, height: length }
      : { x: x + at, y, width: length, height: depth }
    at += length
    return rectangle
  })
}

function without(row: readonly number[], { x, y, width, height }: Rectangle): Rectangle {
  const side = Math.min(width, height)
  const depth = side > 0 ? sum(row) / side : 0
  return width >= height
    ? { x: x + depth, y, width: Math.max(0, width - depth), height }
    : { x, y: y + depth, width, height: Math.max(0, height - depth) }
}
