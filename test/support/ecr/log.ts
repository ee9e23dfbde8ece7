import type { ApiAction } from './options.ts'

export type Plane = 'api' | 'dkr' | 's3'

/** One request and what became of it. */
export interface Entry {
  readonly plane: Plane
  readonly method: string
  readonly path: string
  /** Without the `?`. */
  readonly query: string
  /** Lower-case names; of `authorization` only the scheme, of a session token nothing. */
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds since the server started. */
  readonly at: number
  /** What it was counted, permitted and priced as. Empty when it was refused as unauthenticated. */
  actions: readonly ApiAction[]
  repository: string | undefined
  /** 0 while it runs, and when the connection was closed without an answer. */
  status: number
  requestBytes: number
  responseBytes: number
  /** The scripted fault it met. */
  fault: string | undefined
  /** A bug in the double: the request was answered 500. */
  error: unknown
  /** Milliseconds since the server started; `undefined` while it runs. */
  doneAt: number | undefined
}

export interface RequestLog {
  readonly entries: readonly Entry[]
  /** Bugs in the double: a test may want none. */
  readonly errors: readonly unknown[]
  /** How often an action was asked for, the throttled, denied and scripted failures included. */
  count(action: ApiAction): number
  /** All counts above zero. */
  counts(): Partial<Record<ApiAction, number>>
  /** Requests by method (any when undefined) and path (whole, or a pattern), on one plane or all. */
  requests(method?: string, path?: string | RegExp, plane?: Plane): readonly Entry[]
  /** The most requests that ran at one time. */
  peak(filter?: (entry: Entry) => boolean): number
  /** The most calls of an action that began within any one second. */
  busiestSecond(action: ApiAction): number
  clear(): void
}

export interface LogWriter extends RequestLog {
  /** Notes a bug of the double outside any answer. */
  fail(error: unknown): void
  begin(start: Pick<Entry, 'plane' | 'method' | 'path' | 'query' | 'headers'>): Entry
}

export function createLog(): LogWriter {
  const started = performance.now()
  const entries: Entry[] = []
  const failures: unknown[] = []
  const of = (action: ApiAction) => entries.filter((entry) => entry.actions.includes(action))
  return {
    entries,
    get errors() {
      return [...failures, ...entries.map((entry) => entry.error).filter((error) => error !== undefined)]
    },
    fail: (error) => failures.push(error),
    begin(start) {
      const entry: Entry = {
        ...start,
        at: performance.now() - started,
        actions: [],
        repository: undefined,
        status: 0,
        requestBytes: 0,
        responseBytes: 0,
        fault: undefined,
        error: undefined,
        doneAt: undefined,
      }
      entries.push(entry)
      return entry
    },
    count: (action) => of(action).length,
    counts() {
      const counts: Partial<Record<ApiAction, number>> = {}
      for (const action of entries.flatMap((entry) => entry.actions))
        counts[action] = (counts[action] ?? 0) + 1
      return counts
    },
    requests: (method, path, plane) =>
      entries.filter(
        (entry) =>
          (method === undefined || entry.method === method) &&
          (plane === undefined || entry.plane === plane) &&
          (path === undefined || (typeof path === 'string' ? entry.path === path : path.test(entry.path))),
      ),
    peak(filter = () => true) {
      const moments = entries
        .filter(filter)
        .flatMap((entry) => [
          { at: entry.at, step: 1 },
          { at: entry.doneAt ?? Number.POSITIVE_INFINITY, step: -1 },
        ])
        .toSorted((a, b) => a.at - b.at || a.step - b.step)
      let now = 0
      let most = 0
      for (const { step } of moments) most = Math.max(most, (now += step))
      return most
    },
    busiestSecond(action) {
      const times = of(action).map((entry) => entry.at)
      let most = 0
      for (let from = 0, to = 0; to < times.length; to += 1) {
        while ((times[to] ?? 0) - (times[from] ?? 0) >= 1000) from += 1
        most = Math.max(most, to - from + 1)
      }
      return most
    },
    clear() {
      entries.length = 0
    },
  }
}

/** Milliseconds since the log began, on the clock of `at`. */
export const finish = (entry: Entry, tookMs: number): void => {
  entry.doneAt = entry.at + tookMs
}
