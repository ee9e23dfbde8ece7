import { formatBytes, formatDuration, formatRate, plural } from '../../lib/format.ts'
import { etaMs, fraction, type Flight, type Progress } from './progress.ts'
import { clip, oneLine, pad, widthOf, type Style } from './style.ts'
import { percent, phaseWords, waitText } from './words.ts'

export interface FrameSize {
  readonly columns: number
  readonly rows: number
}

/**
 * The live view at one moment: a line per transfer in flight, a line per host that wants patience, the total last.
 * Never more lines than fit half the screen, never a line of `columns` or more, so that nothing wraps or scrolls.
 */
export function frameLines(
  progress: Progress,
  { columns, rows }: FrameSize,
  now: number,
  style: Style,
): string[] {
  if (progress.phase === undefined || rows < 2) return []
  const width = Math.max(1, columns - 1)
  // Half the screen: what happened before stays in sight, and a screen that gets narrower can wrap the lines.
  const room = Math.max(1, Math.min(rows - 1, Math.max(6, Math.floor(rows / 2))))
  const waits = waitLines(progress, now).slice(0, Math.max(0, room - 1))
  const flights = flightLines(progress, now, width, room - 1 - waits.length, style)
  const lines = [...flights, ...waits.map((line) => style.yellow(clip(line, width)))]
  // Trailing spaces would count when a terminal that gets narrower wraps the lines.
  return [...lines, totalLine(progress, now, width, style)].map((line) => line.trimEnd())
}

// --- internal ---

const mostWaits = 3
/** Below this, a line has room for a name and a percentage only. */
const narrow = 60

function waitLines(progress: Progress, now: number): string[] {
  const waits = [...progress.waits].filter(([, { until }]) => until > now)
  const lines = waits
    .slice(0, mostWaits)
    .map(([host, { until, reason }]) => waitText(host, reason, until - now))
  return waits.length > mostWaits ? [...lines, `waiting for ${waits.length - mostWaits} more hosts`] : lines
}

function flightLines(progress: Progress, now: number, width: number, room: number, style: Style): string[] {
  const flights = [...progress.flights.values()]
  if (room <= 0) return []
  if (flights.length <= room) return flights.map((flight) => flightLine(flight, now, width, style))
  const shown = flights.slice(0, room - 1)
  const rest = style.dim(clip(`  and ${flights.length - shown.length} more in flight`, width))
  return [...shown.map((flight) => flightLine(flight, now, width, style)), rest]
}

function flightLine({ name, size, done, rate }: Flight, now: number, width: number, style: Style): string {
  const share = size > 0 ? Math.min(1, done / size) : 0
  const perSecond = rate.perSecond(now)
  const facts =
    width < narrow
      ? pad(`${Math.floor(share * 100)} %`, 5, 'start')
      : [
          bar(share, 10, style),
          pad(`${Math.floor(share * 100)} %`, 5, 'start'),
          pad(formatBytes(size), 8, 'start'),
          pad(perSecond === undefined ? '' : formatRate(perSecond), 10, 'start'),
        ].join(' ')
  const room = width - widthOf(facts) - 3
  return room < 4
    ? clip(oneLine(name), width, 'middle')
    : `  ${pad(clip(oneLine(name), room, 'middle'), room)} ${facts}`
}

/** As much as fits, the most important first. */
function totalLine(progress: Progress, now: number, width: number, style: Style): string {
  const word = phaseWords[progress.phase ?? 'resolve']
  const rate = progress.rate.perSecond(now)
  const eta = etaMs(progress, now)
  const counts =
    progress.bytes > 0
      ? [
          `${percent(progress)} %`,
          `${formatBytes(progress.bytesDone)} of ${formatBytes(progress.bytes)}`,
          ...(rate === undefined ? [] : [formatRate(rate)]),
          ...(eta === undefined ? [] : [`${formatDuration(Math.max(1000, eta))} left`]),
        ]
      : [`${progress.itemsDone} of ${progress.items}`]
  const extra = [
    ...(progress.rootsDone > 0 && progress.roots > 0
      ? [`roots ${progress.rootsDone}/${progress.roots}`]
      : []),
    ...(progress.failed > 0 ? [style.red(`${progress.failed} failed`)] : []),
    ...(progress.retries > 0 ? [plural(progress.retries, 'retry', 'retries')] : []),
    ...(progress.phase === 'transfer' && progress.items > 0
      ? [`blobs ${progress.itemsDone}/${progress.items}`]
      : []),
  ]
  let line = style.bold(clip(word, width))
  for (const part of [...counts, ...extra]) {
    if (widthOf(line) + 2 + widthOf(part) > width) break
    line += `  ${part}`
  }
  const room = Math.min(24, width - widthOf(line) - 2)
  const drawn = room >= 8 ? `${bar(fraction(progress), room, style)}  ` : ''
  return `${drawn}${line}`
}

function bar(share: number, width: number, style: Style): string {
  const full = Math.floor(share * width)
  return style.green('━'.repeat(full)) + style.dim('─'.repeat(width - full))
}
