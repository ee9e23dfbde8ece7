import type { BundleEvent } from '../../bundle/run/events.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import { createProgress, type Progress } from './progress.ts'
import type { EventRenderer } from './renderer.ts'
import type { Style } from './style.ts'
import {
  percent,
  phaseWords,
  retryText,
  rootText,
  totalText,
  waitText,
  warningText,
  withoutRequest,
} from './words.ts'

export interface PlainOptions {
  readonly style: Style
  readonly verbose: boolean
  readonly now?: () => number
}

/** A line reports progress when this much time or this share of the whole has passed since the last one. */
const everyMs = 10_000
const everyPercent = 10

/** Lines that only ever append, for CI logs, pipes and dumb terminals. */
export function createPlainRenderer(write: (text: string) => void, options: PlainOptions): EventRenderer {
  const { style, verbose, now = () => performance.now() } = options
  const progress = createProgress()
  let saidAt = now()
  let saidPercent = 0

  const say = (): void => {
    saidAt = now()
    saidPercent = percent(progress)
    write(`${phaseWords[progress.phase ?? 'resolve']}: ${totalText(progress, saidAt)}\n`)
  }
  /** One line reports a trouble for a while, however many hosts and things it is about. */
  const troubles = new Map<string, number>()
  const isNews = ({ reason }: Extract<BundleEvent, { type: 'retry' }>): boolean => {
    const key = withoutRequest(reason).replaceAll(/\b[\w-]+(?:\.[\w-]+)+(?::\d+)?/g, '')
    const before = troubles.get(key)
    if (before !== undefined && now() - before < everyMs) return false
    troubles.set(key, now())
    return true
  }
  /** Without events too: a log that falls silent looks like a hang. */
  const heartbeat = setInterval(() => {
    if (progress.phase !== undefined && now() - saidAt >= everyMs) say()
  }, 1000)
  heartbeat.unref()

  return {
    emit(event) {
      const wait = event.type === 'throttle' ? progress.waits.get(event.host) : undefined
      const waiting = wait !== undefined && wait.until > now()
      progress.apply(event, now())
      if (event.type === 'phase') {
        saidAt = now()
        saidPercent = 0
      }
      if (event.type === 'retry' && !verbose && !isNews(event)) return
      const text = eventText(event, progress, style, verbose)
      // Every request to a host that wants patience reports it; once is enough.
      if (text !== undefined && !waiting) write(text)
      const advanced = event.type === 'progress' || event.type === 'transferred'
      if (advanced && (percent(progress) - saidPercent >= everyPercent || now() - saidAt >= everyMs)) say()
    },
    print: write,
    clear: () => undefined,
    close: () => clearInterval(heartbeat),
  }
}

// --- internal ---

function eventText(
  event: BundleEvent,
  progress: Progress,
  style: Style,
  verbose: boolean,
): string | undefined {
  switch (event.type) {
    case 'phase': {
      const bytes = event.bytes > 0 ? `, ${formatBytes(event.bytes)}` : ''
      const noun = event.phase === 'transfer' ? 'blob' : 'item'
      return `${phaseWords[event.phase]}: ${plural(event.items, noun)}${bytes}\n`
    }
    case 'root':
      // The result lists every item, and what failed comes at the end with its reason.
      if (!verbose) return undefined
      return `[${rootCount(event.outcome, progress)}] ${rootText(event)}\n`
    case 'warning':
      return warningText(event, style)
    case 'retry':
      return `${retryText(event)}\n`
    case 'throttle':
      return `${waitText(event.host, event.reason, event.waitMs)}\n`
    default:
      return undefined
  }
}

/** Roots settle while blobs are transferred, and are counted apart from these. */
const rootCount = (outcome: string, { itemsDone, items, rootsDone, roots }: Progress): string =>
  outcome === 'resolved' ? `${itemsDone}/${items}` : `${rootsDone}/${roots}`
