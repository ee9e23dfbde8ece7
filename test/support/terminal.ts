import { Writable } from 'node:stream'

import type { OutputStream } from '../../src/cli/context.ts'

/** A terminal in memory: enough of ECMA-48 for a program that redraws in place. Anything it does not know, it refuses. */
export interface Terminal extends OutputStream {
  columns: number
  rows: number
  readonly isTTY: true
  /** What is on the screen, without empty lines at the end. */
  screen(): string[]
  /** What has scrolled off, and then the screen. */
  history(): string[]
  /** Wraps lines that became too long, as terminals do, and tells the program. */
  resize(columns: number, rows: number): void
  /** Number of writes so far. */
  readonly writes: number
}

interface Row {
  text: string
  /** Continues the row above. */
  wrapped: boolean
}

export function createTerminal(columns: number, rows: number): Terminal {
  let lines: Row[] = [{ text: '', wrapped: false }]
  /** Row and column of the cursor; the row counts from the beginning of history. */
  let y = 0
  let x = 0
  let writes = 0

  const top = (): number => Math.max(0, lines.length - terminal.rows)
  const row = (): Row => {
    while (lines.length <= y) lines.push({ text: '', wrapped: false })
    return lines[y] ?? { text: '', wrapped: false }
  }
  const put = (character: string): void => {
    if (x >= terminal.columns) {
      y += 1
      x = 0
      row().wrapped = true
    }
    const at = row()
    at.text = at.text.padEnd(x).slice(0, x) + character + at.text.slice(x + 1)
    x += 1
  }
  const control = (parameter: string, final: string): void => {
    if (final === 'A') y = Math.max(top(), y - Number(parameter || '1'))
    else if (final === 'K' && parameter === '') row().text = row().text.slice(0, x)
    else if (final !== 'm') throw new Error(`the terminal does not know CSI ${parameter}${final}`)
  }
  const write = (text: string): void => {
    writes += 1
    // eslint-disable-next-line no-control-regex
    for (const [token, parameter, final] of text.matchAll(/\u001B\[([\d;?]*)([A-Za-z])|[^]/gu)) {
      if (final !== undefined) control(parameter ?? '', final)
      else if (token === '\n') {
        y += 1
        x = 0
        row().wrapped = false
      } else if (token === '\r') x = 0
      else put(token)
    }
  }

  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _, done) {
      write(String(chunk))
      done()
    },
  })
  const texts = (): string[] => lines.map(({ text }) => text.trimEnd())
  const terminal: Terminal = Object.assign(stream, {
    columns,
    rows,
    isTTY: true as const,
    writes: 0,
    screen: () => trimmed(texts().slice(top())),
    history: () => trimmed(texts()),
    resize(width: number, height: number) {
      // Empty rows below the cursor are what a terminal gives up first.
      while (lines.length - 1 > y && lines.at(-1)?.text === '') lines.pop()
      const joined: string[] = []
      for (const { text, wrapped } of lines) {
        if (wrapped && joined.length > 0) joined[joined.length - 1] += text
        else joined.push(text)
      }
      const cursorFromEnd = lines.length - 1 - y
      lines = joined.flatMap((text) => wrap(text, width))
      y = lines.length - 1 - cursorFromEnd
      Object.assign(terminal, { columns: width, rows: height })
      terminal.emit('resize')
    },
  })
  Object.defineProperty(terminal, 'writes', { get: () => writes })
  return terminal
}

// --- internal ---

const trimmed = (texts: readonly string[]): string[] =>
  texts.slice(0, texts.findLastIndex((text) => text !== '') + 1)

function wrap(text: string, width: number): Row[] {
  const rows: Row[] = [{ text: text.slice(0, width), wrapped: false }]
  for (let at = width; at < text.length; at += width)
    rows.push({ text: text.slice(at, at + width), wrapped: true })
  return rows
}
