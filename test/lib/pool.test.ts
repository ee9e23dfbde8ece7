import { describe, expect, test } from 'vitest'
import { createPool, createTransferPool, mostAtOnce, type Pool } from '../../src/lib/pool.ts'

const MIB = 2 ** 20

/** Tasks that run until told, by name. */
function stage(pool: Pool) {
  const running = new Set<string>()
  const started: string[] = []
  const ends = new Map<string, () => void>()
  const tick = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve()
  }
  return {
    running,
    started,
    add: async (name: string, weight?: number): Promise<void> => {
      const task = async (): Promise<void> => {
        running.add(name)
        started.push(name)
        await new Promise<void>((end) => ends.set(name, end))
        running.delete(name)
      }
      void pool.run(task, weight)
      await tick()
    },
    end: async (name: string): Promise<void> => {
      ends.get(name)?.()
      await tick()
    },
  }
}

describe('a pool', () => {
  test('runs so many at a time, the heaviest of those that wait first, else in their order', async () => {
    const { started, add, end } = stage(createPool(1))
    await add('first')
    await add('light', 1)
    await add('heavy', 9)
    await add('light too', 1)
    expect(started).toEqual(['first'])
    for (const name of ['first', 'heavy', 'light', 'light too']) await end(name)
    expect(started).toEqual(['first', 'heavy', 'light', 'light too'])
  })

  test('goes on after a task that failed', async () => {
    const pool = createPool(1)
    await expect(pool.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await pool.run(() => Promise.resolve(7))).toBe(7)
  })
})

describe('a pool of transfers', () => {
  test('lets four small ones stand for a large one', async () => {
    const { running, add, end } = stage(createTransferPool(2))
    for (let at = 0; at < 10; at += 1) await add(`small ${at}`, 1000)
    expect(running.size).toBe(8)
    await add('large', 5 * MIB)
    for (let at = 0; at < 4; at += 1) await end(`small ${at}`)
    // It goes first, and has to wait until there is room for all of it.
    expect([...running]).toEqual(['small 4', 'small 5', 'small 6', 'small 7', 'large'])
    await end('large')
    expect(running.size).toBe(6)
  })

  test.each([
    [1, 1],
    [2, 8],
    [8, 32],
    [16, 64],
    [40, 64],
    [64, 64],
    [100, 100],
  ])('of %i at a time has at most %i small ones', async (limit, most) => {
    const { running, add } = stage(createTransferPool(limit))
    for (let at = 0; at < 110; at += 1) await add(String(at), 1)
    expect(running.size).toBe(most)
    expect(mostAtOnce(limit)).toBe(most)
  })

  test('counts large ones one by one', async () => {
    const { running, add } = stage(createTransferPool(3))
    for (let at = 0; at < 5; at += 1) await add(String(at), 3 * MIB)
    expect(running.size).toBe(3)
  })

  test.each([
    [MIB - 1, 12],
    [MIB, 6],
    [2 * MIB - 1, 6],
    [2 * MIB, 4],
    [3 * MIB, 3],
  ])('of 3 at a time has %i bytes each %i times', async (size, most) => {
    const { running, add } = stage(createTransferPool(3))
    for (let at = 0; at < 20; at += 1) await add(String(at), size)
    expect(running.size).toBe(most)
  })

  test('counts what is sent and waits for its answer as a small one, until it ends', async () => {
    const pool = createTransferPool(2)
    const { running, add, end } = stage(pool)
    let relieved = (): void => undefined
    let answered = (): void => undefined
    const sent = pool.run(async (relieve) => {
      relieved = relieve
      await new Promise<void>((resolve) => (answered = resolve))
    }, 5 * MIB)
    for (let at = 0; at < 3; at += 1) await add(`large ${at}`, 5 * MIB)
    expect([...running]).toEqual(['large 0'])
    // Twice is no more than once.
    relieved()
    relieved()
    for (let at = 0; at < 10; at += 1) await add(`small ${at}`, 1)
    expect([...running]).toEqual(['large 0'])
    await end('large 0')
    expect([...running]).toEqual(['large 1'])
    answered()
    await sent
    await end('large 1')
    expect([...running]).toEqual(['large 2', 'small 0', 'small 1', 'small 2', 'small 3'])
  })
})
