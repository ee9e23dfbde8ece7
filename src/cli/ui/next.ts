import { box } from 'consola/utils'
import type { CommandSession } from '../session.ts'

/** What to do next, at the end of a result: in a frame on a terminal, as plain lines elsewhere. */
export function nextSteps(
  lines: readonly string[],
  { stdout, style }: Pick<CommandSession, 'stdout' | 'style'>,
): string {
  const isWide = (stdout.columns || 80) >= Math.max(...lines.map((line) => line.length)) + FRAME
  if (stdout.isTTY !== true || !isWide) return lines.map((line) => `Next: ${line}`).join('\n')
  return box(lines.join('\n'), {
    title: style.bold('next'),
    style: { padding: 1, marginTop: 0, marginBottom: 0, marginLeft: 0 },
  })
}

// --- internal ---

/** Columns that the frame and its padding take. */
const FRAME = 6
