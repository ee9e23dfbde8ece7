import { describe, expect, it } from 'vitest'
import type { Beginning } from '../../src/archive/left-content.ts'
import { openArchiveWriter, type ArchiveWriter } from '../../src/archive/writer.ts'
import { encodeHeader, place, type Entry } from '../../src/archive/tar.ts'
import { bytesOf, type Bytes } from '../../src/lib/bytes/bytes.ts'
import { digestOf, hexOf } from '../../src/oci/digest.ts'
import { Crash, memoryMedium, type CrashOptions, type Disk } from '../support/memory-medium.ts'
import { random } from '../support/random.ts'

/** Content by path; the first entry lists the others, as bundle.json does. */
interface TestPlan {
  readonly entries: readonly Entry[]
  readonly head: Uint8Array
}

const SYNC_AFTER = 8 * 1024
const PIECE = 1024
const HEAD = 'bundle.json'

const contents = new Map<string, Uint8Array>()
function blob(size: number, name: string): string {
  const next = random(`${name} ${size}`)
  const bytes = Uint8Array.from({ length: size }, () => Math.floor(next() * 256))
  const path = `blobs/sha256/${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}`
  contents.set(path, bytes)
  return path
}

function planOf(paths: readonly string[], note: string): TestPlan {
  const rest = paths.toSorted().map((path) => ({ path, size: contents.get(path)?.length ?? 0 }))
  const head = new TextEncoder().encode(JSON.stringify({ note, entries: rest }))
  return { head, entries: [{ path: HEAD, size: head.length }, ...rest] }
}

const entriesOf = (head: Uint8Array): readonly Entry[] | undefined => {
  const parsed: unknown = JSON.parse(new TextDecoder().decode(head))
  return (parsed as { entries: Entry[] }).entries
}

function wholeOf({ entries, head }: TestPlan): Uint8Array {
  const { entries: placed, size } = place(entries)
  const whole = new Uint8Array(size)
  for (const entry of placed) {
    whole.set(encodeHeader(entry), entry.headerAt)
    whole.set(entry.path === HEAD ? head : (contents.get(entry.path) ?? new Uint8Array()), entry.dataAt)
  }
  return whole
}

/** What one run fetched, by path: as `fill` does it, several at a time and verifying what was left. */
async function run(disk: Disk, plan: TestPlan, crash?: CrashOptions): Promise<Map<string, number>> {
  const fetched = new Map<string, number>()
  const writer = await openArchiveWriter(
    memoryMedium(disk, crash),
    plan.entries,
    plan.head,
    entriesOf,
    SYNC_AFTER,
  )
  const lacking = plan.entries.filter(({ path }) => !writer.has(path)).toReversed()
  for (let at = 0; at < lacking.length; at += 3) {
    const results = await Promise.allSettled(
      lacking.slice(at, at + 3).map(({ path }) => fetchOne(path, writer, fetched)),
    )
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
  await writer.commit()
  return fetched
}

async function fetchOne(path: string, writer: ArchiveWriter, fetched: Map<string, number>): Promise<void> {
  const content = contents.get(path) ?? new Uint8Array()
  const beginning = await writer.check(path, digestOf(content))
  if (writer.has(path)) return
  // What counts as there is right, whatever befell the disk.
  expect(beginning.hasher.copy().digest('hex')).toBe(hexOf(digestOf(content.subarray(0, beginning.size))))
  await writer.write(path, pieces(content, beginning, path, fetched), beginning)
}

async function* pieces(
  content: Uint8Array,
  { size, hasher }: Beginning,
  path: string,
  fetched: Map<string, number>,
): Bytes {
  for (let at = size; at < content.length; at += PIECE) {
    const piece = content.subarray(at, at + PIECE)
    hasher.update(piece)
    fetched.set(path, (fetched.get(path) ?? 0) + piece.length)
    yield* bytesOf(piece)
    await Promise.resolve()
  }
}

const sizes = [0, 1, 511, 512, 513, 3000, 5000, 9000, 20_000, 50_000]
const shared = sizes.map((size) => blob(size, 'shared'))
const plan = planOf(shared, 'one')
const fresh = (): Disk => ({ bytes: new Uint8Array(), published: undefined })
const empty = { entries: [], head: new Uint8Array() }

/** How many operations a run without a crash takes. */
async function operations(disk: Disk, of: TestPlan): Promise<number> {
  let low = 1
  let high = 100_000
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const copy = { bytes: disk.bytes.slice(), published: undefined }
    const done = await run(copy, of, { after: middle }).then(
      () => true,
      () => false,
    )
    if (done) high = middle
    else low = middle + 1
  }
  return low
}

async function crashes(disk: Disk, of: TestPlan, crash: CrashOptions): Promise<void> {
  await expect(run(disk, of, crash)).rejects.toBeInstanceOf(Crash)
  expect(disk.published).toBeUndefined()
}

const total = (fetched: ReadonlyMap<string, number>): number =>
  [...fetched.values()].reduce((sum, size) => sum + size, 0)

describe('after a kill at any moment', () => {
  it('the next run makes the same bytes, and fetches again at most what is in flight', async () => {
    const all = shared.reduce((sum, path) => sum + (contents.get(path)?.length ?? 0), 0)
    const last = await operations(fresh(), plan)
    for (let after = 1; after < last; after += 1) {
      const disk = fresh()
      await crashes(disk, plan, { after })
      const written = await run(disk, plan)
      expect(Buffer.compare(disk.published ?? empty.head, wholeOf(plan)), `killed at ${after}`).toBe(0)
      expect(total(written)).toBeLessThanOrEqual(all)
    }
    expect(last).toBeGreaterThan(150)
  })

  it('finished entries are not fetched again, and of others at most what one sync covers', async () => {
    const last = await operations(fresh(), plan)
    for (let after = 12; after < last; after += 1) {
      const disk = fresh()
      const counted = new Map<string, number>()
      const writer = await openArchiveWriter(
        memoryMedium(disk, { after }),
        plan.entries,
        plan.head,
        entriesOf,
        SYNC_AFTER,
      ).catch(() => undefined)
      if (writer === undefined) continue
      const finished = new Set<string>()
      try {
        for (const { path } of plan.entries.toReversed()) {
          if (writer.has(path)) continue
          await fetchOne(path, writer, counted)
          finished.add(path)
        }
        await writer.commit()
      } catch (error) {
        if (!(error instanceof Crash)) throw error
      }
      const again = disk.published === undefined ? await run(disk, plan) : new Map<string, number>()
      for (const [path, size] of again) {
        expect(finished.has(path), `killed at ${after}: ${path} was whole`).toBe(false)
        const left = (contents.get(path)?.length ?? 0) - (counted.get(path) ?? 0)
        expect(size - left).toBeLessThanOrEqual(SYNC_AFTER + PIECE)
      }
    }
  })
})

describe('after a loss of power at any moment', () => {
  it('the next run makes the same bytes, whatever part of the last writes was torn', async () => {
    const last = await operations(fresh(), plan)
    for (let seed = 0; seed < 400; seed += 1) {
      const next = random(`power ${seed}`)
      const disk = fresh()
      const after = 1 + Math.floor(next() * (last - 1))
      await crashes(disk, plan, { after, isLost: () => next() < 0.5 })
      // And once more, in the run that mends it.
      const second = 1 + Math.floor(next() * (last - 1))
      await run(disk, plan, { after: second, isLost: () => next() < 0.5 }).catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error
      })
      if (disk.published === undefined) await run(disk, plan)
      expect(Buffer.compare(disk.published ?? empty.head, wholeOf(plan)), `seed ${seed}`).toBe(0)
    }
  })
})

describe('after rot, wherever it comes', () => {
  it('the next run makes the same bytes, and fetches only what rotted or was never there', async () => {
    const last = await operations(fresh(), plan)
    const { entries: placed } = place(plan.entries)
    for (let seed = 0; seed < 400; seed += 1) {
      const next = random(`rot ${seed}`)
      const disk = fresh()
      const whole = next() < 0.5
      if (whole) await run(disk, plan)
      else await crashes(disk, plan, { after: 1 + Math.floor(next() * (last - 1)) })
      disk.published = undefined
      const spots = Array.from({ length: 1 + Math.floor(next() * 3) }, () =>
        Math.floor(next() * Math.max(1, disk.bytes.length)),
      )
      for (const spot of spots) {
        if (spot < disk.bytes.length)
          disk.bytes[spot] = (disk.bytes[spot] ?? 0) ^ (1 << Math.floor(next() * 8))
      }
      const fetched = await run(disk, plan)
      expect(Buffer.compare(disk.published ?? empty.head, wholeOf(plan)), `seed ${seed}`).toBe(0)
      if (!whole) continue
      const touched = placed.filter(({ headerAt, dataAt, size }) =>
        spots.some((spot) => spot >= headerAt && spot < dataAt + size),
      )
      expect([...fetched.keys()].filter((path) => touched.every((one) => one.path !== path))).toEqual([])
    }
  })
})

describe('another plan', () => {
  const others = [
    planOf([...shared, blob(7000, 'more')], 'two'),
    planOf(shared.slice(2), 'three, with a note that is much longer and moves everything on'.repeat(40)),
    planOf([...shared.slice(0, -1), blob(30_000, 'other'), blob(64, 'small')], ''),
    planOf([blob(12_345, 'nothing shared')], 'four'),
  ]

  it('fetches only what the earlier one had not', async () => {
    for (const other of others) {
      const disk = fresh()
      await run(disk, plan)
      const fetched = await run(disk, other)
      expect(Buffer.compare(disk.published ?? empty.head, wholeOf(other))).toBe(0)
      const had = new Set(plan.entries.map(({ path }) => path))
      expect([...fetched.keys()].filter((path) => had.has(path))).toEqual([])
    }
  })

  it('comes out right when both runs are cut off anywhere, also while content is moved', async () => {
    const last = await operations(fresh(), plan)
    for (let seed = 0; seed < 600; seed += 1) {
      const next = random(`plans ${seed}`)
      const other = others[seed % others.length] ?? plan
      const disk = fresh()
      const cut = async (of: TestPlan, most: number): Promise<void> => {
        const after = 1 + Math.floor(next() * most)
        const isLost = next() < 0.5 ? () => next() < 0.5 : () => false
        await run(disk, of, { after, isLost }).catch((error: unknown) => {
          if (!(error instanceof Crash)) throw error
        })
        disk.published = undefined
      }
      await cut(plan, last)
      await cut(other, 60)
      for (let more = Math.floor(next() * 4); more > 0; more -= 1)
        await cut(next() < 0.5 ? plan : other, next() < 0.5 ? 60 : last)
      await run(disk, other)
      expect(Buffer.compare(disk.published ?? empty.head, wholeOf(other)), `seed ${seed}`).toBe(0)
    }
  })

  it('takes nothing from a file that is no bundle of ours', async () => {
    const next = random('garbage')
    const disk = {
      bytes: Uint8Array.from({ length: 5000 }, () => Math.floor(next() * 256)),
      published: undefined,
    }
    await run(disk, plan)
    expect(Buffer.compare(disk.published ?? empty.head, wholeOf(plan))).toBe(0)
  })
})
