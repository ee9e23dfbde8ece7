import type { BundleEvent } from '../../bundle/run/events.ts'
import type { OutputStream } from '../context.ts'
import { frameLines } from './frame.ts'
import { createProgress } from './progress.ts'
import type { EventRenderer } from './renderer.ts'
import { widthOf, type Style } from './style.ts'
import { rootText, warningText } from './words.ts'

export interface LiveOptions {
  readonly style: Style
  readonly verbose: boolean
  /** Milliseconds of a monotonic clock. */
  readonly now?: () => number
}

const redrawMs = 100
/** Without events the clock still runs: waits count down, rates fall. */
const idleMs = 1000

/**
 * A live view on a terminal. It redraws in place, at most ten times a second, and takes itself off the screen for
 * everything that is printed and at the end. It changes no mode of the terminal, so there is nothing to restore when
 * the process is killed.
 */
export function createLiveRenderer(terminal: OutputStream, options: LiveOptions): EventRenderer {
  const { style, verbose, now = () => performance.now() } = options
  const progress = createProgress()
  let drawn: readonly string[] = []
  let drawnAt = -Infinity
  let dirty = false
  let closed = false

  const clear = (): void => {
    const rows = rowsOf(drawn, columnsOf(terminal))
    if (rows > 0) terminal.write(`${up(rows)}${blank(rows)}${up(rows)}`)
    drawn = []
  }
  const draw = (): void => {
    if (closed || (!dirty && now() - drawnAt < idleMs)) return
    // A terminal that is held (Ctrl-S) or slow gets the latest frame once it reads again, not all of them.
    if (terminal.writableNeedDrain) return
    const columns = columnsOf(terminal)
    const lines = frameLines(progress, { columns, rows: terminal.rows ?? 24 }, now(), style)
    const before = rowsOf(drawn, columns)
    const left = Math.max(0, before - lines.length)
    const text = lines.map((line) => `${line}${eraseLine}\n`).join('')
    if (before + lines.length > 0) terminal.write(`${up(before)}${text}${blank(left)}${up(left)}`)
    drawn = lines
    drawnAt = now()
    dirty = false
  }
  const timer = setInterval(draw, redrawMs)
  timer.unref()

  const print = (text: string): void => {
    clear()
    terminal.write(text)
    dirty = true
  }
  return {
    emit(event) {
      progress.apply(event, now())
      dirty = true
      const text = lasting(event, verbose, style)
      if (text !== undefined) print(text)
    },
    print,
    clear() {
      clear()
      dirty = false
    },
    close() {
      closed = true
      clearInterval(timer)
      clear()
    },
  }
}

// --- internal ---

const eraseLine = '\u001B[K'

const columnsOf = (terminal: OutputStream): number => Math.max(1, terminal.columns ?? 80)

/** Rows on the screen: a terminal that got narrower has wrapped the lines meanwhile. */
const rowsOf = (lines: readonly string[], columns: number): number =>
  lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / columns)), 0)

const up = (rows: number): string => (rows === 0 ? '' : `\r\u001B[${rows}A`)

/** Row by row: tmux takes "erase all below" from the top row as a page to keep in its history. */
const blank = (rows: number): string => `${eraseLine}\n`.repeat(rows)

/** What stays on the screen above the live view. */
function lasting(event: BundleEvent, verbose: boolean, style: Style): string | undefined {
  if (event.type === 'warning') return warningText(event, style)
  if (event.type !== 'root') return undefined
  // What failed comes at the end, with its reason.
  return verbose ? `${rootText(event)}\n` : undefined
}
