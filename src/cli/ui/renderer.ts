import type { BundleEvent } from '../../bundle/run/events.ts'

/** Turns events into text while a command runs. */
export interface EventRenderer {
  emit(event: BundleEvent): void
  /** Whole lines for people on stderr, above whatever is live. */
  print(text: string): void
  /** Takes what is live off the screen, so that something else can write there. It comes back with the next event. */
  clear(): void
  /** The last word: nothing is drawn afterwards. */
  close(): void
}

/** `--quiet`: nothing but what is printed on purpose. */
export function createQuietRenderer(write: (text: string) => void): EventRenderer {
  return { emit: () => undefined, print: write, clear: () => undefined, close: () => undefined }
}
