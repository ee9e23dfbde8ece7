/** A piece of a line in one style. */
export interface Span {
  readonly text: string
  readonly color?: string
  readonly bold: boolean
  readonly dim: boolean
}

/** What a terminal shows, from the text and SGR codes (ECMA-48) that `tmux capture-pane -e` gives: one list a line. */
export function linesOf(screen: string): readonly (readonly Span[])[] {
  // Codes may go on over the end of a line.
  let style: Omit<Span, 'text'> = PLAIN
  return screen.split('\n').map((line) => {
    const spans: Span[] = []
    // oxlint-disable-next-line no-control-regex
    for (const [token, codes] of line.matchAll(/\u001B\[([\d;]*)m|[^\u001B]+/g)) {
      if (codes === undefined) spans.push({ ...style, text: token })
      else
        style = (codes === '' ? '0' : codes)
          .replaceAll(EXTENDED, '')
          .split(';')
          .filter((code) => code !== '')
          .map(Number)
          .reduce(applied, style)
    }
    return spans
  })
}

// --- internal ---

const PLAIN: Omit<Span, 'text'> = { bold: false, dim: false }

/** Colours of a larger palette; the program has none. */
const EXTENDED = /[34]8;(?:5;\d+|2;\d+;\d+;\d+)/g

/** Readable on the dark ground of the picture. */
const COLORS: Readonly<Record<number, string>> = {
  31: '#ff7b72',
  32: '#7ee787',
  33: '#e3b341',
  34: '#79c0ff',
  35: '#d2a8ff',
  36: '#76e3ea',
  90: '#8b949e',
}

function applied(style: Omit<Span, 'text'>, code: number): Omit<Span, 'text'> {
  const { bold, dim, color } = style
  const rest = color === undefined ? {} : { color }
  if (code === 0) return PLAIN
  if (code === 1) return { ...style, bold: true }
  if (code === 2) return { ...style, dim: true }
  if (code === 22) return { ...rest, bold: false, dim: false }
  if (code === 39) return { bold, dim }
  const known = COLORS[code]
  return known === undefined ? style : { bold, dim, color: known }
}
