export interface Row {
  readonly name: string
  readonly cells: readonly string[]
  /** Stands behind the row. */
  readonly note?: string
}

/** Columns of numbers, to the right. */
export function render(head: readonly string[], rows: readonly Row[]): string {
  const lines = [head, ...rows.map(({ name, cells }) => [name, ...cells])]
  const widths = head.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0)))
  return lines
    .map((line, at) => {
      const cells = line.map((cell, n) =>
        n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0),
      )
      return `${cells.join('  ')}  ${rows[at - 1]?.note ?? ''}`.trimEnd()
    })
    .join('\n')
}
