import type { BundleEvent, Phase } from '../../bundle/run/events.ts'
import { createRate, type Rate } from './rate.ts'

/** A transfer in flight. */
export interface Flight {
  readonly id: string
  readonly name: string
  readonly size: number
  /** Bytes; falls back when the body has to be started again. */
  done: number
  /** The most it has been: bytes sent again are no progress, and say nothing about the rate. */
  peak: number
  /** The same blob may be on its way to several repositories at once. */
  copies: number
  readonly rate: Rate
}

/** What a run has come to, as counted from its events. Times are milliseconds of one monotonic clock. */
export interface Progress {
  phase: Phase | undefined
  /** Roots, or in the phases that count bytes transfers. */
  items: number
  itemsDone: number
  /** Roots of the run, and how many of them are settled (pushed, found unchanged, failed). */
  roots: number
  rootsDone: number
  bytes: number
  /** Never falls within a phase, whatever is started again. */
  readonly bytesDone: number
  /** Bytes that will not come because their transfer failed. */
  bytesLost: number
  /** Transfers in flight, the longest running first. */
  readonly flights: ReadonlyMap<string, Flight>
  /** Until when each host wants to be left alone, and why. */
  readonly waits: ReadonlyMap<string, { readonly until: number; readonly reason: string }>
  readonly rate: Rate
  retries: number
  failed: number
  warnings: number
  apply(event: BundleEvent, now: number): void
}

export function createProgress(): Progress {
  const flights = new Map<string, Flight>()
  const waits = new Map<string, { until: number; reason: string }>()
  let settled = 0
  let shown = 0
  const progress: Progress = {
    phase: undefined,
    items: 0,
    itemsDone: 0,
    roots: 0,
    rootsDone: 0,
    bytes: 0,
    get bytesDone() {
      return shown
    },
    bytesLost: 0,
    flights,
    waits,
    rate: createRate(),
    retries: 0,
    failed: 0,
    warnings: 0,
    apply(event, now) {
      switch (event.type) {
        case 'phase':
          Object.assign(progress, { phase: event.phase, items: event.items, bytes: event.bytes })
          Object.assign(progress, { itemsDone: 0, bytesLost: 0 })
          if (!countsBytes(event.phase)) progress.roots = event.items
          settled = 0
          shown = 0
          break
        case 'root':
          if (event.phase === progress.phase) progress.itemsDone += 1
          if (event.outcome !== 'resolved') progress.rootsDone += 1
          if (event.outcome === 'failed') progress.failed += 1
          break
        case 'transfer':
          depart(flights, event, now)
          progress.rate.add(0, now)
          break
        case 'progress':
          advance(flights.get(event.id), event.done, progress.rate, now)
          break
        case 'transferred':
          land(flights, event.id)
          if (countsBytes(progress.phase)) progress.itemsDone += 1
          if (event.outcome === 'failed') progress.bytesLost += event.size
          else settled += event.size
          break
        case 'retry':
          progress.retries += 1
          break
        case 'throttle':
          waits.set(event.host, { until: now + event.waitMs, reason: event.reason })
          break
        case 'warning':
          progress.warnings += 1
          break
      }
      shown = Math.max(shown, settled + inFlight(flights))
    },
  }
  return progress
}

/** Milliseconds until all bytes are there at the present rate; undefined while that is a guess. */
export function etaMs(progress: Progress, now: number): number | undefined {
  const left = progress.bytes - progress.bytesLost - progress.bytesDone
  const rate = progress.rate.perSecond(now)
  if (left <= 0 || rate === undefined || rate < 1) return undefined
  return (left / rate) * 1000
}

/** 0 to 1; 1 only when every byte is there. */
export function fraction(progress: Progress): number {
  if (progress.bytes > 0) return Math.min(1, progress.bytesDone / progress.bytes)
  return progress.items > 0 ? Math.min(1, progress.itemsDone / progress.items) : 0
}

// --- internal ---

const countsBytes = (phase: Phase | undefined): boolean => phase === 'transfer' || phase === 'check'

type Departure = Pick<Flight, 'id' | 'name' | 'size'>

function depart(flights: Map<string, Flight>, { id, name, size }: Departure, now: number): void {
  const before = flights.get(id)
  if (before !== undefined) {
    before.copies += 1
    return
  }
  const flight = { id, name, size, done: 0, peak: 0, copies: 1, rate: createRate() }
  // The wait for the first byte counts.
  flight.rate.add(0, now)
  flights.set(id, flight)
}

function land(flights: Map<string, Flight>, id: string): void {
  const flight = flights.get(id)
  if (flight !== undefined && flight.copies > 1) flight.copies -= 1
  else flights.delete(id)
}

function advance(flight: Flight | undefined, done: number, total: Rate, now: number): void {
  if (flight === undefined) return
  const moved = Math.max(0, done - flight.peak)
  flight.done = done
  flight.peak += moved
  flight.rate.add(moved, now)
  total.add(moved, now)
}

function inFlight(flights: ReadonlyMap<string, Flight>): number {
  let bytes = 0
  for (const { done, size } of flights.values()) bytes += Math.min(done, size)
  return bytes
}
