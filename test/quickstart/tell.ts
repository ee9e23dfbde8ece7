import { formatBytes } from '../../src/lib/format.ts'

let steps = 0

export function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** A heading with the next number. */
export function step(title: string): void {
  steps += 1
  say(`\n${steps}. ${title}\n${'-'.repeat(title.length + 3)}`)
}

/** Columns as wide as their content, indented by two. */
export function rows(lines: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const line of lines) {
    for (const [at, cell] of line.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
  }
  return lines
    .map((line) => `  ${line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd())
    .join('\n')
}

/** A size for a column of sizes. */
export const sized = (bytes: number): string => formatBytes(bytes).padStart(8)
