import { describe, expect, it } from 'vitest'

import type { BundleEvent } from '../../../src/bundle/run/events.ts'
import { createProgress, etaMs, fraction, type Progress } from '../../../src/cli/ui/progress.ts'
import { createRate } from '../../../src/cli/ui/rate.ts'

const transfer = (id: string, size: number): BundleEvent => ({ type: 'transfer', id, name: id, size })
const done = (id: string, bytes: number): BundleEvent => ({ type: 'progress', id, done: bytes })
const copied = (id: string, size: number): BundleEvent => ({
  type: 'transferred',
  id,
  outcome: 'copied',
  size,
})

function after(events: readonly BundleEvent[], everyMs = 0): Progress {
  const progress = createProgress()
  for (const [at, event] of events.entries()) progress.apply(event, at * everyMs)
  return progress
}

describe('progress', () => {
  it('adds what is settled and what is in flight', () => {
    const progress = after([
      { type: 'phase', phase: 'transfer', items: 3, bytes: 100 },
      transfer('a', 50),
      transfer('b', 30),
      copied('a', 50),
      done('b', 15),
      { type: 'transferred', id: 'c', outcome: 'exists', size: 20 },
    ])
    expect([progress.bytesDone, progress.itemsDone, progress.flights.size, fraction(progress)]).toEqual([
      85, 2, 1, 0.85,
    ])
  })

  it('counts a blob that goes to two repositories at once twice, and its rate once', () => {
    const progress = createProgress()
    progress.apply({ type: 'phase', phase: 'transfer', items: 2, bytes: 2000 }, 0)
    for (const _ of [1, 2]) progress.apply(transfer('a', 1000), 0)
    for (let at = 1; at <= 10; at += 1) {
      progress.apply(done('a', at * 100), at * 500)
      progress.apply(done('a', (at - 1) * 100), at * 500)
    }
    expect(progress.rate.perSecond(5000)).toBeCloseTo(200)
    progress.apply(copied('a', 1000), 5000)
    expect([progress.flights.size, progress.bytesDone]).toEqual([1, 1900])
    progress.apply(copied('a', 1000), 5000)
    expect([progress.flights.size, progress.bytesDone]).toEqual([0, 2000])
  })

  it('does not count more in flight than there is, nor what it never heard of', () => {
    const progress = after([
      { type: 'phase', phase: 'transfer', items: 1, bytes: 100 },
      transfer('a', 10),
      done('a', 99),
      done('b', 99),
    ])
    expect(progress.bytesDone).toBe(10)
  })

  it('counts roots of the run apart from the items of a phase', () => {
    const root = (phase: 'resolve' | 'finish', outcome: 'resolved' | 'pushed' | 'failed'): BundleEvent => ({
      type: 'root',
      phase,
      kind: 'image',
      name: 'x',
      outcome,
    })
    const progress = after([
      { type: 'phase', phase: 'resolve', items: 3, bytes: 0 },
      root('resolve', 'resolved'),
      root('resolve', 'failed'),
      { type: 'phase', phase: 'transfer', items: 7, bytes: 10 },
      root('finish', 'pushed'),
    ])
    const { itemsDone, items, rootsDone, roots, failed } = progress
    expect({ itemsDone, items, rootsDone, roots, failed }).toEqual({
      itemsDone: 0,
      items: 7,
      rootsDone: 2,
      roots: 3,
      failed: 1,
    })
  })

  it('leaves failed bytes out of the time that is left', () => {
    const progress = createProgress()
    progress.apply({ type: 'phase', phase: 'transfer', items: 2, bytes: 1000 }, 0)
    progress.apply(transfer('a', 500), 0)
    for (let at = 1; at <= 4; at += 1) progress.apply(done('a', at * 100), at * 1000)
    expect(etaMs(progress, 4000)).toBeCloseTo(6000)
    progress.apply({ type: 'transferred', id: 'b', outcome: 'failed', size: 500 }, 4000)
    expect(etaMs(progress, 4000)).toBeCloseTo(1000)
    expect(fraction(progress)).toBe(0.4)
  })

  it('starts anew with each phase', () => {
    const progress = after([
      { type: 'phase', phase: 'transfer', items: 1, bytes: 10 },
      copied('a', 10),
      { type: 'phase', phase: 'finish', items: 4, bytes: 0 },
    ])
    expect([progress.bytesDone, progress.itemsDone, fraction(progress)]).toEqual([0, 0, 0])
  })
})

describe('a rate', () => {
  it('is unknown at first, then the average of the last ten seconds', () => {
    const rate = createRate()
    expect(rate.perSecond(0)).toBeUndefined()
    rate.add(0, 0)
    expect(rate.perSecond(900)).toBeUndefined()
    for (let second = 1; second <= 30; second += 1) rate.add(second <= 15 ? 1000 : 5000, second * 1000)
    expect(rate.perSecond(30_000)).toBeGreaterThan(4500)
    expect(rate.perSecond(30_000)).toBeLessThan(5600)
  })

  it('falls to nothing when nothing comes', () => {
    const rate = createRate()
    for (let second = 0; second <= 5; second += 1) rate.add(1000, second * 1000)
    expect(rate.perSecond(20_000)).toBe(0)
  })
})
