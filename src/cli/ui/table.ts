import type { OutputStream } from '../context.ts'
import { fold, oneLine, pad, widthOf, type Style } from './style.ts'

export interface Column {
  readonly title: string
  /** Numbers go to the right. */
  readonly align?: 'left' | 'right'
  /** Never goes on in the next line: digests, sizes, commands to copy. */
  readonly whole?: true
}

/** Text, or text with a colour: `{ text: 'ok', paint: style.green }`. */
export type Cell = string | { readonly text: string; readonly paint: (text: string) => string }

/**
 * Aligned columns under their titles, a line per row, without a final newline. `width` is that of the screen: cells are
 * go on in the next line to fit, so that names stay whole, but those of a `whole` column never do, even if the line gets
 * longer. A row may be shorter than the columns.
 */
export function table(
  columns: readonly (string | Column)[],
  rows: readonly (readonly Cell[])[],
  width: number,
  { style, indent = '' }: { readonly style?: Style; readonly indent?: string } = {},
): string {
  const defs = columns.map((column) => (typeof column === 'string' ? { title: column } : column))
  const widths = fit(defs, rows, width - indent.length)
  const line = (cells: readonly Cell[]): string => {
    const folded = defs.map((def, at) => cellLines(cells[at] ?? '', def, widths[at] ?? 0))
    const height = Math.max(1, ...folded.map(({ length }) => length))
    return Array.from({ length: height }, (_, row) => {
      const texts = defs.map((def, at) =>
        padded(folded[at]?.[row] ?? '', def, widths[at] ?? 0, at === defs.length - 1),
      )
      return (indent + texts.join(gap)).trimEnd()
    }).join('\n')
  }
  const head = line(
    defs.map(({ title }) => (style === undefined ? title : { text: title, paint: style.dim })),
  )
  return [head, ...rows.map(line)].join('\n')
}

/**
 * The rows that a person at a terminal is shown at the end of a run, and the line that says how many more there are.
 * A file, a pipe and `--verbose` get all.
 */
export function shortened<Row>(
  rows: readonly Row[],
  { stdout, verbose }: { readonly stdout: OutputStream; readonly verbose: boolean },
): { readonly rows: readonly Row[]; readonly more: readonly string[] } {
  if (stdout.isTTY !== true || verbose || rows.length <= MOST_ROWS) return { rows, more: [] }
  const shown = MOST_ROWS - 4
  return { rows: rows.slice(0, shown), more: [`… and ${rows.length - shown} more (--verbose lists all)`] }
}

// --- internal ---

/** With title, summary and what comes next, a screen of 24 rows and a ticket. */
const MOST_ROWS = 16

const gap = '  '
const narrowest = 10

const textOf = (cell: Cell): string => oneLine(typeof cell === 'string' ? cell : cell.text)

function cellLines(cell: Cell, { whole }: Column, room: number): readonly string[] {
  const lines = whole === true ? [textOf(cell)] : fold(textOf(cell), room)
  return typeof cell === 'string' ? lines : lines.map((line) => cell.paint(line))
}

function padded(text: string, { align }: Column, room: number, last: boolean): string {
  if (last && align !== 'right') return text
  return pad(text, room, align === 'right' ? 'start' : 'end')
}

/** The width of each column: as its content wants, then one by one taken from the widest until the line fits. */
function fit(columns: readonly Column[], rows: readonly (readonly Cell[])[], width: number): number[] {
  const widths = columns.map(({ title }, at) =>
    rows.reduce((most, row) => Math.max(most, widthOf(textOf(row[at] ?? ''))), widthOf(title)),
  )
  const total = widths.reduce((sum, one) => sum + one, gap.length * (widths.length - 1))
  for (let over = total - width; over > 0; over -= 1) {
    let widest = -1
    for (const [at, { whole, title }] of columns.entries()) {
      const own = widths[at] ?? 0
      const shrinks = whole !== true && own > Math.max(narrowest, widthOf(title))
      if (shrinks && own > (widths[widest] ?? 0)) widest = at
    }
    if (widest < 0) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return widths
}
