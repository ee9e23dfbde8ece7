import type { BundleEvent } from '../../bundle/run/events.ts'
import { jsonText } from '../../lib/text/visible.ts'
import type { EventRenderer } from './renderer.ts'

/** Milliseconds between two `progress` lines of one transfer; a line per chunk would drown a log. */
const progressEveryMs = 1000

/** `--json`: one event per line on stdout, in the shape of `BundleEvent`. */
export function createJsonRenderer(
  stdout: (text: string) => void,
  stderr: (text: string) => void,
  now: () => number = () => performance.now(),
): EventRenderer {
  const lastProgress = new Map<string, number>()
  return {
    emit(event: BundleEvent) {
      if (event.type === 'progress') {
        const last = lastProgress.get(event.id)
        if (last !== undefined && now() - last < progressEveryMs) return
        lastProgress.set(event.id, now())
      }
      if (event.type === 'transferred') lastProgress.delete(event.id)
      stdout(`${jsonText(event)}\n`)
    },
    print: stderr,
    clear: () => undefined,
    close: () => undefined,
  }
}
