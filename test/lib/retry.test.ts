import { describe, expect, test } from 'vitest'
import { backoff, createPatience, retry, retryAfter, sleep, type RetryVerdict } from '../../src/lib/retry.ts'

const policy = { attempts: 4, baseMs: 1, maxMs: 4 }

describe('retryAfter', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  test.each([
    ['5', 5000],
    ['0', 0],
    ['1.5', 1500],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
  ])('%j is %s ms', (value, expected) => {
    expect(retryAfter(new Headers({ 'retry-after': value }), now)).toBe(expected)
  })
  test('is undefined without the header', () => {
    expect(retryAfter(new Headers())).toBeUndefined()
  })
})

test('backoff doubles between half and all of its step, up to its bound', () => {
  for (const [failures, most] of [
    [1, 100],
    [2, 200],
    [3, 400],
    [9, 1000],
  ] as const) {
    for (let at = 0; at < 50; at += 1) {
      const wait = backoff(failures, 100, 1000)
      expect(wait).toBeGreaterThanOrEqual(most / 2)
      expect(wait).toBeLessThanOrEqual(most)
    }
  }
})

describe('retry', () => {
  async function tries(verdict: RetryVerdict, failures: number, progressAt?: number): Promise<number> {
    let count = 0
    const patience = createPatience({ judge: () => verdict, policy })
    await retry(patience, async () => {
      count += 1
      if (count === progressAt) patience.progressed()
      if (count <= failures) throw new Error(`failure ${count}`)
    }).catch(() => undefined)
    return count
  }

  test('ends with success', async () => {
    expect(await tries({ retryable: true }, 2)).toBe(3)
  })
  test('ends after as many tries as the policy allows', async () => {
    expect(await tries({ retryable: true }, 99)).toBe(4)
  })
  test('bears twice as many when the host asks for patience', async () => {
    expect(await tries({ retryable: true, asked: true }, 99)).toBe(8)
  })
  test('bears fewer when the verdict says so', async () => {
    expect(await tries({ retryable: true, attempts: 2 }, 99)).toBe(2)
  })
  test('counts from the start after progress', async () => {
    expect(await tries({ retryable: true }, 99, 3)).toBe(6)
  })
  test('ends at once when it is hopeless', async () => {
    expect(await tries({ retryable: false }, 99)).toBe(1)
  })
  test('ends at once when asked to wait for too long', async () => {
    expect(await tries({ retryable: true, waitMs: 400_000 }, 99)).toBe(1)
  })
  test('throws the last error as it is', async () => {
    const error = new Error('this one')
    await expect(
      retry(createPatience({ judge: () => ({ retryable: false }) }), () => Promise.reject(error)),
    ).rejects.toBe(error)
  })
})

test('sleep ends with the cancellation, before and during', async () => {
  const stop = new AbortController()
  const sleeping = sleep(60_000, stop.signal)
  stop.abort()
  await expect(sleeping).rejects.toMatchObject({ kind: 'cancelled' })
  await expect(sleep(60_000, stop.signal)).rejects.toMatchObject({ kind: 'cancelled' })
})
