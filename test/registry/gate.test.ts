import { describe, expect, test } from 'vitest'
import { createGate } from '../../src/registry/transport/pace.ts'

const nothing = (): Promise<void> => Promise.resolve()

describe('createGate', () => {
  test('lets as many through at once as it may, in order', async () => {
    const gate = createGate(3)
    const order: number[] = []
    let now = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 10 }, (_, at) =>
        gate.run(async () => {
          order.push(at)
          most = Math.max(most, (now += 1))
          await new Promise((resolve) => setTimeout(resolve, 1))
          now -= 1
        }),
      ),
    )
    expect(most).toBe(3)
    expect(order).toEqual(Array.from({ length: 10 }, (_, at) => at))
  })

  test('gives the turn back when a task fails', async () => {
    const gate = createGate(1)
    await expect(gate.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await gate.run(nothing)
  })

  test('is lowered by a refusal, once for all that were on their way, and recovers', async () => {
    const gate = createGate(16)
    const start = performance.now()
    gate.throttled(start)
    const lowered = gate.pace()
    expect(lowered.limit).toBe(8)
    expect(lowered.intervalMs).toBeGreaterThan(0)
    gate.throttled(start - 1)
    expect(gate.pace()).toEqual(lowered)
    gate.throttled(performance.now())
    expect(gate.pace().limit).toBe(4)
    for (let at = 0; at < 200; at += 1) gate.succeeded()
    expect(gate.pace()).toEqual({ limit: 16, intervalMs: 0 })
  })

  test('never stops altogether', async () => {
    const gate = createGate(4)
    for (let at = 0; at < 30; at += 1) gate.throttled(performance.now())
    expect(gate.pace()).toEqual({ limit: 1, intervalMs: 1000 })
    await gate.run(nothing)
  })

  test('starts nothing while it is paused', async () => {
    const gate = createGate(4)
    const before = performance.now()
    gate.pause(80)
    await Promise.all([gate.run(nothing), gate.run(nothing)])
    expect(performance.now() - before).toBeGreaterThanOrEqual(79)
  })

  test('lets the cancelled through to learn it', async () => {
    const gate = createGate(1)
    gate.pause(60_000)
    const stop = new AbortController()
    const waiting = gate.run(async () => 'through', stop.signal)
    stop.abort()
    expect(await waiting).toBe('through')
    expect(await gate.run(async () => 'too', stop.signal)).toBe('too')
  })
})
