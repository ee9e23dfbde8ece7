import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { createJsonRenderer } from '../../../src/cli/ui/json.ts'
import { createPlainRenderer } from '../../../src/cli/ui/plain.ts'
import type { EventRenderer } from '../../../src/cli/ui/renderer.ts'
import { createStyle } from '../../../src/cli/ui/style.ts'

const MiB = 1024 ** 2

let text = ''
let plain: EventRenderer

const lines = (): string[] => text.trimEnd().split('\n')
const start = (verbose = false): void => {
  text = ''
  plain = createPlainRenderer((more) => void (text += more), { style: createStyle(false), verbose })
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance', 'Date'] })
  start()
})
afterEach(() => {
  plain.close()
  vi.useRealTimers()
})

describe('plain lines', () => {
  it('tell the start, every settled root, every ten percent, warnings and retries', () => {
    plain.emit({ type: 'phase', phase: 'resolve', items: 2, bytes: 0 })
    plain.emit({ type: 'root', phase: 'resolve', kind: 'image', name: 'q.io/a:1', outcome: 'resolved' })
    plain.emit({ type: 'phase', phase: 'transfer', items: 1, bytes: 100 * MiB })
    plain.emit({ type: 'transfer', id: 'a', name: 'q.io/a:1', size: 100 * MiB })
    for (let done = 1; done <= 25; done += 1) plain.emit({ type: 'progress', id: 'a', done: done * MiB })
    plain.emit({ type: 'retry', host: 'q.io', what: 'GET blob', attempt: 1, waitMs: 2000, reason: 'reset' })
    plain.emit({ type: 'warning', message: 'no arm64', next: 'take another' })
    plain.emit({ type: 'transferred', id: 'a', outcome: 'copied', size: 100 * MiB })
    plain.emit({ type: 'phase', phase: 'finish', items: 2, bytes: 0 })
    plain.emit({
      type: 'root',
      phase: 'finish',
      kind: 'image',
      name: 'q.io/a:1',
      outcome: 'pushed',
      digest: 'sha256:aa',
    })
    plain.emit({ type: 'root', phase: 'finish', kind: 'chart', name: 'jaeger', outcome: 'failed' })
    expect(lines()).toEqual([
      'resolving: 2 items',
      'transferring: 1 blob, 100 MiB',
      'transferring: 10 %, 10.0 MiB of 100 MiB, 1 in flight',
      'transferring: 20 %, 20.0 MiB of 100 MiB, 1 in flight',
      'retry 1 of GET blob at q.io in 2 s: reset',
      'warning: no arm64',
      '  next:  take another',
      'transferring: 100 %, 100 MiB of 100 MiB, 1 retry',
      // The result lists what was pushed.
      'finishing: 2 items',
    ])
  })

  it('list roots with verbose', () => {
    start(true)
    plain.emit({ type: 'phase', phase: 'resolve', items: 2, bytes: 0 })
    plain.emit({
      type: 'root',
      phase: 'resolve',
      kind: 'image',
      name: 'q.io/a:1',
      outcome: 'resolved',
      digest: 'sha256:aa',
    })
    plain.emit({ type: 'phase', phase: 'finish', items: 2, bytes: 0 })
    plain.emit({
      type: 'root',
      phase: 'finish',
      kind: 'image',
      name: 'q.io/a:1',
      outcome: 'pushed',
      digest: 'sha256:aa',
    })
    expect(lines()).toEqual([
      'resolving: 2 items',
      '[1/2] image q.io/a:1 resolved sha256:aa',
      'finishing: 2 items',
      '[1/2] image q.io/a:1 pushed sha256:aa',
    ])
  })

  it('beat every ten seconds even when nothing happens, and not after the end', () => {
    plain.emit({ type: 'phase', phase: 'resolve', items: 60, bytes: 0 })
    vi.advanceTimersByTime(35_000)
    expect(lines()).toEqual(['resolving: 60 items', ...Array<string>(3).fill('resolving: 0 of 60')])
    plain.close()
    vi.advanceTimersByTime(35_000)
    expect(lines()).toHaveLength(4)
  })

  it('say once that a host is waited for', () => {
    plain.emit({ type: 'phase', phase: 'resolve', items: 60, bytes: 0 })
    const wait = { type: 'throttle', host: 'docker.io', waitMs: 5000, reason: 'rate limit' } as const
    for (let at = 0; at < 5; at += 1) plain.emit(wait)
    vi.advanceTimersByTime(6000)
    plain.emit(wait)
    expect(lines().slice(1)).toEqual(Array<string>(2).fill('waiting for docker.io: rate limit, 5 s'))
  })

  it('hold one event on one line', () => {
    plain.emit({ type: 'warning', message: 'a\nb\u001B[2J' })
    expect(text).toBe('warning: a b⟨U+001B⟩[2J\n')
  })
})

describe('JSON lines', () => {
  it('carry every event as it is, progress of a transfer once a second', () => {
    const events: unknown[] = []
    const json = createJsonRenderer(
      (line) => void events.push(JSON.parse(line)),
      () => undefined,
    )
    json.emit({ type: 'transfer', id: 'a', name: 'n', size: 5 })
    for (let done = 0; done < 25; done += 1) {
      json.emit({ type: 'progress', id: 'a', done })
      vi.advanceTimersByTime(100)
    }
    json.emit({ type: 'progress', id: 'b', done: 1 })
    json.emit({ type: 'transferred', id: 'a', outcome: 'copied', size: 5 })
    expect(events).toEqual([
      { type: 'transfer', id: 'a', name: 'n', size: 5 },
      { type: 'progress', id: 'a', done: 0 },
      { type: 'progress', id: 'a', done: 10 },
      { type: 'progress', id: 'a', done: 20 },
      { type: 'progress', id: 'b', done: 1 },
      { type: 'transferred', id: 'a', outcome: 'copied', size: 5 },
    ])
  })
})
