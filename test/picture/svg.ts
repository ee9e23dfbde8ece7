import { linesOf, type Span } from './ansi.ts'

export interface Frame {
  /** As `tmux capture-pane -e` gives it. */
  readonly screen: string
  /** How long it is shown, milliseconds. */
  readonly ms: number
}

export interface Screen {
  readonly columns: number
  readonly rows: number
  readonly title: string
  /** What it shows, for those who cannot see it. */
  readonly description: string
}

/**
 * A recording as one SVG without scripts: all frames below each other, moved through the window by a CSS animation. A
 * line that frames share is stored once. With reduced motion, and wherever animations do not run, the last frame shows.
 * Its ground is its own, so that it reads the same on light and dark pages.
 */
export function toSvg(frames: readonly Frame[], { columns, rows, title, description }: Screen): string {
  const width = Math.ceil(columns * CELL) + 2 * PAD
  const height = rows * LINE
  const ids = new Map<string, string>()
  const groups = frames.map(({ screen }, at) => {
    const uses = linesOf(screen)
      .slice(0, rows)
      .flatMap((spans, row) => {
        const drawn = drawLine(spans)
        if (drawn === '') return []
        const id = ids.get(drawn) ?? `l${ids.size}`
        ids.set(drawn, id)
        return [`<use href="#${id}" y="${row * LINE}"/>`]
      })
    return `<g transform="translate(0 ${at * height})">${uses.join('')}</g>`
  })
  const defs = [...ids].map(([drawn, id]) => `<g id="${id}">${drawn}</g>`)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height + BAR + PAD}" width="${width}" role="img" aria-label="${escape(description)}">
<style>
text { font: ${FONT}px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #e6edf3; white-space: pre }
.b { font-weight: bold }
.d { opacity: 0.6 }
${movement(frames, height)}
</style>
<defs>
${defs.join('\n')}
</defs>
<rect width="100%" height="100%" rx="8" fill="#0d1117" stroke="#30363d"/>
<circle cx="18" cy="16" r="5" fill="#ff5f57"/><circle cx="36" cy="16" r="5" fill="#febc2e"/><circle cx="54" cy="16" r="5" fill="#28c840"/>
<text x="${width / 2}" y="20" text-anchor="middle" class="d">${escape(title)}</text>
<svg x="${PAD}" y="${BAR}" width="${width - 2 * PAD}" height="${height}"><g class="film">
${groups.join('\n')}
</g></svg>
</svg>
`
}

// --- internal ---

const FONT = 13
/** Width of a character and height of a line, in user units. */
const CELL = 7.8
const LINE = 17
const PAD = 14
const BAR = 34

/** The end is shown first: where only the first moment is seen, as in a preview, it should tell something. */
const OPENING_MS = 2500
/** Nobody wants to watch a busy machine wait. */
const LONGEST_MS = 3000

function movement(frames: readonly Frame[], height: number): string {
  const shown = [
    { index: frames.length - 1, ms: OPENING_MS },
    ...frames.map(({ ms }, index) => ({ index, ms: Math.min(ms, LONGEST_MS) })),
  ]
  const total = shown.reduce((sum, { ms }) => sum + ms, 0)
  let at = 0
  const steps = shown.map(({ index, ms }) => {
    const start = ((at / total) * 100).toFixed(3)
    at += ms
    return `${start}% { transform: translateY(${-index * height}px) }`
  })
  const last = `translateY(${-(frames.length - 1) * height}px)`
  return `.film { transform: ${last}; animation: film ${(total / 1000).toFixed(2)}s step-end infinite }
@keyframes film { ${steps.join(' ')} }
@media (prefers-reduced-motion: reduce) { .film { animation: none } }`
}

function drawLine(spans: readonly Span[]): string {
  let column = 0
  const drawn: string[] = []
  for (const { text, bold, dim, color } of spans) {
    const shown = text.trimEnd()
    const indent = shown.length - shown.trimStart().length
    const length = Bun.stringWidth(shown.trimStart())
    if (length > 0) {
      const classes = [...(bold ? ['b'] : []), ...(dim ? ['d'] : [])].join(' ')
      const attributes = [
        `x="${round((column + indent) * CELL)}"`,
        `y="${FONT}"`,
        `textLength="${round(length * CELL)}"`,
        ...(classes === '' ? [] : [`class="${classes}"`]),
        ...(color === undefined ? [] : [`style="fill:${color}"`]),
      ]
      drawn.push(`<text ${attributes.join(' ')}>${escape(shown.trimStart())}</text>`)
    }
    column += Bun.stringWidth(text)
  }
  return drawn.join('')
}

const round = (value: number): string => String(Math.round(value * 10) / 10)

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
