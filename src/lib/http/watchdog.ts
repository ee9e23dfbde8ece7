/** Calls back once when something has been waited for too long. Costs no timer per wait. */
export interface Watchdog {
  /** Something is waited for from now on, for at most `limitMs`. */
  wait(limitMs?: number): void
  /** What is waited for, if anything, made a step: the wait begins again from the start. */
  renew(): void
  /** It came; nothing is waited for. */
  rest(): void
  stop(): void
}

export function createWatchdog(defaultMs: number, bark: (waitedMs: number) => void): Watchdog {
  let since: number | undefined
  let limit = defaultMs
  let timer: ReturnType<typeof setTimeout> | undefined
  const look = (): void => {
    timer = undefined
    if (since === undefined) return
    const waited = performance.now() - since
    if (waited >= limit) bark(waited)
    else timer = setTimeout(look, limit - waited)
  }
  return {
    wait(limitMs = defaultMs) {
      since = performance.now()
      limit = limitMs
      timer ??= setTimeout(look, limit)
    },
    renew() {
      if (since === undefined) return
      since = performance.now()
      limit = defaultMs
    },
    rest() {
      since = undefined
    },
    stop() {
      since = undefined
      clearTimeout(timer)
      timer = undefined
    },
  }
}
