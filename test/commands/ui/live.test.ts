import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { createLiveRenderer } from '../../../src/cli/ui/live.ts'
import type { EventRenderer } from '../../../src/cli/ui/renderer.ts'
import { createStyle } from '../../../src/cli/ui/style.ts'
import { createTerminal, type Terminal } from '../../support/terminal.ts'

const MiB = 1024 ** 2

let terminal: Terminal
let live: EventRenderer

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance', 'Date'] })
})
afterEach(() => {
  live.close()
  vi.useRealTimers()
})

function start(columns: number, rows: number, verbose = false): void {
  terminal = createTerminal(columns, rows)
  live = createLiveRenderer(terminal, { style: createStyle(false), verbose })
}

const tick = (ms = 100): void => void vi.advanceTimersByTime(ms)

const begin = (id: string, size: number, name = `q.io/${id}:1`): void =>
  live.emit({ type: 'transfer', id, name, size })
const advance = (id: string, done: number): void => live.emit({ type: 'progress', id, done })

/** The number before the percent sign of the last line. */
const percentage = (): number => Number(/(\d+) %/.exec(terminal.screen().at(-1) ?? '')?.[1])

describe('the live view', () => {
  it('shows a line per transfer and the total last', () => {
    start(80, 24)
    live.emit({ type: 'phase', phase: 'transfer', items: 2, bytes: 40 * MiB })
    begin('a', 30 * MiB)
    begin('b', 10 * MiB)
    tick()
    advance('a', 15 * MiB)
    tick()
    expect(terminal.screen()).toEqual([
      '  q.io/a:1                                 ━━━━━─────  50 % 30.0 MiB',
      '  q.io/b:1                                 ──────────   0 % 10.0 MiB',
      '━━━━━━━━━───────────────  transferring  37 %  15.0 MiB of 40.0 MiB  blobs 0/2',
    ])
  })

  it('shows rate, time left, roots, failures and retries as they come', () => {
    start(120, 24)
    live.emit({ type: 'phase', phase: 'resolve', items: 3, bytes: 0 })
    live.emit({ type: 'root', phase: 'resolve', kind: 'image', name: 'x', outcome: 'resolved' })
    tick()
    expect(terminal.screen()).toEqual(['━━━━━━━━────────────────  resolving  1 of 3'])
    live.emit({ type: 'phase', phase: 'transfer', items: 2, bytes: 100 * MiB })
    begin('a', 100 * MiB)
    for (let second = 1; second <= 5; second += 1) {
      advance('a', second * 10 * MiB)
      tick(1000)
    }
    live.emit({ type: 'root', phase: 'finish', kind: 'image', name: 'x', outcome: 'pushed' })
    live.emit({ type: 'root', phase: 'finish', kind: 'image', name: 'y', outcome: 'failed' })
    live.emit({ type: 'retry', host: 'q.io', what: 'GET blob', attempt: 1, waitMs: 10, reason: 'reset' })
    tick()
    const total = terminal.screen().at(-1) ?? ''
    expect(total).toContain('50 %  50.0 MiB of 100 MiB')
    expect(total).toMatch(/ 9\.80 MiB\/s {2}5 s left {2}roots 2\/3 {2}1 failed {2}1 retry {2}blobs 0\/2$/)
  })

  it('never goes backwards when a transfer starts again', () => {
    start(80, 24)
    live.emit({ type: 'phase', phase: 'transfer', items: 2, bytes: 100 * MiB })
    begin('a', 50 * MiB)
    begin('b', 50 * MiB)
    const seen: number[] = []
    for (const [id, done] of [
      ['a', 40],
      ['b', 10],
      ['a', 0],
      ['a', 5],
      ['b', 30],
      ['a', 45],
    ] as const) {
      advance(id, done * MiB)
      tick()
      seen.push(percentage())
    }
    begin('a', 50 * MiB)
    tick()
    seen.push(percentage())
    live.emit({ type: 'transferred', id: 'a', outcome: 'copied', size: 50 * MiB })
    live.emit({ type: 'transferred', id: 'b', outcome: 'exists', size: 50 * MiB })
    tick()
    seen.push(percentage())
    expect(seen).toEqual([40, 50, 50, 50, 50, 75, 75, 100])
  })

  it('says 100 % only when every byte is there', () => {
    start(80, 24)
    live.emit({ type: 'phase', phase: 'transfer', items: 1, bytes: 1000 })
    begin('a', 1000)
    advance('a', 999)
    tick()
    expect(percentage()).toBe(99)
    live.emit({ type: 'transferred', id: 'a', outcome: 'failed', size: 1000 })
    tick()
    expect(percentage()).toBe(99)
  })

  it('says which host is waited for, why and how long, and stops saying so', () => {
    start(80, 24)
    live.emit({ type: 'phase', phase: 'transfer', items: 1, bytes: 100 })
    live.emit({ type: 'throttle', host: 'docker.io', waitMs: 12_000, reason: 'rate limit' })
    tick()
    expect(terminal.screen()[0]).toBe('waiting for docker.io: rate limit, 12 s')
    tick(5000)
    expect(terminal.screen()[0]).toBe('waiting for docker.io: rate limit, 7 s')
    tick(8000)
    expect(terminal.screen()).toHaveLength(1)
  })

  it('takes half the screen at most, and counts the rest', () => {
    start(80, 20)
    live.emit({ type: 'phase', phase: 'transfer', items: 60, bytes: 60 })
    for (let at = 0; at < 60; at += 1) begin(`i${at}`, 1)
    for (const host of ['a', 'b', 'c', 'd', 'e'])
      live.emit({ type: 'throttle', host, waitMs: 9000, reason: 'slow' })
    tick()
    const screen = terminal.screen()
    expect(screen).toHaveLength(10)
    expect(screen[4]).toBe('  and 56 more in flight')
    expect(screen[8]).toBe('waiting for 2 more hosts')
    expect(terminal.history()).toEqual(screen)
  })

  it.each([
    [20, 5],
    [10, 3],
    [5, 2],
    [1, 1],
  ])('fits a terminal of %i columns and %i rows', (columns, rows) => {
    start(columns, rows)
    live.emit({ type: 'phase', phase: 'transfer', items: 3, bytes: 3 * MiB })
    for (const id of ['a', 'b', 'c']) begin(id, MiB, 'registry.example/organisation/name:v1')
    live.emit({ type: 'throttle', host: 'docker.io', waitMs: 9000, reason: 'rate limit' })
    tick()
    tick(1000)
    expect(terminal.history().length).toBeLessThanOrEqual(Math.max(1, rows))
    for (const line of terminal.screen()) expect(line.length).toBeLessThanOrEqual(columns)
  })

  it('cuts a long name in its middle and keeps names of wide letters aligned', () => {
    start(70, 24)
    live.emit({ type: 'phase', phase: 'transfer', items: 2, bytes: 2 * MiB })
    begin('a', MiB, 'registry.example/organisation/a-very-long-image-name:v1.2.3')
    begin('b', MiB, '\u001B[31mred\u0007')
    tick()
    const [long, red] = terminal.screen()
    expect(long).toMatch(/^ {2}registry\.exa\S*…\S*me:v1\.2\.3 ─/)
    expect(red).toMatch(/^ {2}⟨U\+001B⟩\[31mred⟨U\+0007⟩ {2,}─/)
    expect(red?.indexOf('─')).toBe(long?.indexOf('─'))
  })

  it('redraws at most ten times a second, whatever happens', () => {
    start(80, 24)
    live.emit({ type: 'phase', phase: 'transfer', items: 1, bytes: 100_000 })
    begin('a', 100_000)
    tick()
    const before = terminal.writes
    for (let at = 0; at < 10_000; at += 1) {
      advance('a', at)
      if (at % 10 === 0) tick(1)
    }
    expect(terminal.writes - before).toBeLessThanOrEqual(10)
    expect(terminal.writes - before).toBeGreaterThanOrEqual(9)
  })

  it('prints warnings above itself, and leaves failed roots to the end', () => {
    start(80, 24)
    live.emit({ type: 'phase', phase: 'transfer', items: 1, bytes: 100 })
    begin('a', 100)
    tick()
    live.emit({ type: 'warning', message: 'no arm64', where: 'source q.io/x:1', next: 'take another' })
    tick()
    live.emit({ type: 'root', phase: 'finish', kind: 'chart', name: 'jaeger', outcome: 'failed' })
    live.emit({ type: 'root', phase: 'finish', kind: 'chart', name: 'kyverno', outcome: 'pushed' })
    tick()
    expect(terminal.screen().slice(0, 3)).toEqual([
      'warning: no arm64',
      '  where: source q.io/x:1',
      '  next:  take another',
    ])
    expect(terminal.screen()).toHaveLength(5)
  })

  it('lists every root with verbose', () => {
    start(80, 24, true)
    live.emit({ type: 'phase', phase: 'finish', items: 1, bytes: 0 })
    live.emit({
      type: 'root',
      phase: 'finish',
      kind: 'chart',
      name: 'kyverno',
      outcome: 'unchanged',
      digest: 'sha256:aa',
    })
    expect(terminal.screen()).toEqual(['chart kyverno unchanged sha256:aa'])
  })

  it('survives a terminal that gets narrower, wider, shorter and taller', () => {
    start(100, 24)
    terminal.write('$ ma-bundle export\n')
    live.emit({ type: 'phase', phase: 'transfer', items: 4, bytes: 4 * MiB })
    for (const id of ['a', 'b', 'c', 'd']) begin(id, MiB)
    tick()
    for (const [columns, rows] of [
      [60, 24],
      [33, 24],
      [120, 30],
      [50, 20],
      [200, 40],
    ] as const) {
      terminal.resize(columns, rows)
      advance('a', columns)
      tick()
      expect(terminal.history()).toHaveLength(6)
      expect(terminal.screen()[0]).toBe('$ ma-bundle export')
      expect(terminal.screen()[1]).toMatch(/^ {2}q\.io\/a:1 /)
      expect(terminal.screen()[5]).toMatch(/transferring/)
    }
  })

  it('leaves a clean screen at the end, and draws no more', () => {
    start(80, 24)
    terminal.write('$ ma-bundle export\n')
    live.emit({ type: 'phase', phase: 'transfer', items: 1, bytes: 100 })
    begin('a', 100)
    tick()
    live.close()
    terminal.write('done\n')
    live.emit({ type: 'progress', id: 'a', done: 50 })
    tick(5000)
    expect(terminal.history()).toEqual(['$ ma-bundle export', 'done'])
  })

  it('makes room for results', () => {
    start(80, 24)
    live.emit({ type: 'phase', phase: 'transfer', items: 1, bytes: 100 })
    tick()
    live.clear()
    terminal.write('result\n')
    tick()
    expect(terminal.screen()).toEqual(['result'])
    live.emit({ type: 'progress', id: 'none', done: 1 })
    tick()
    expect(terminal.screen()).toHaveLength(2)
  })

  it('waits for a terminal that does not read', () => {
    start(80, 24)
    live.emit({ type: 'phase', phase: 'transfer', items: 1, bytes: 100 })
    Object.defineProperty(terminal, 'writableNeedDrain', { value: true })
    tick(2000)
    expect(terminal.writes).toBe(0)
  })
})
