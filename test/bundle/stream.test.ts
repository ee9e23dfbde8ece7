import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { openFileWriter } from '../../src/archive/file-writer.ts'
import { place } from '../../src/archive/tar.ts'
import type { BundleEvent } from '../../src/bundle/run/events.ts'
import { fillArchive } from '../../src/bundle/export/write-archive.ts'
import type { Plan, Transfer } from '../../src/bundle/format/plan.ts'
import { streamArchive, type StreamOptions } from '../../src/bundle/export/stream-archive.ts'
import type { Bytes } from '../../src/lib/bytes/bytes.ts'
import { BundleError } from '../../src/lib/errors.ts'
import type { Source } from '../../src/oci/content.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { verified } from '../../src/oci/verify.ts'
import { noise } from '../support/images.ts'

const MIB = 2 ** 20
/** On both sides of what is verified before it goes out, and of tar's blocks. */
const SIZES = [0, 1, 511, 512, 513, 70_000, 8 * MIB, 8 * MIB + 1, 11 * MIB + 7, 3, 9 * MIB]
const contents = SIZES.map((size, seed) => noise(size, seed + 1))

interface Served {
  readonly source: Source
  readonly asked: { readonly size: number; readonly start: number }[]
  /** Bytes given, and streams that were opened and are not yet over. */
  given: number
  open: number
}

/** @param change what becomes of a piece on its way; throwing cuts the stream */
function serve(change: (piece: Uint8Array, content: number, at: number, time: number) => Uint8Array = same) {
  const served: Served = { source: { resolve: never, fetch }, asked: [], given: 0, open: 0 }
  const times = new Map<number, number>()
  return served

  async function fetch({ digest, size }: Transfer['descriptor'], start = 0): Promise<Bytes> {
    served.asked.push({ size, start })
    const which = contents.findIndex((content) => digestOf(content) === digest)
    const time = times.get(which) ?? 0
    times.set(which, time + 1)
    return pieces(which, start, time)
  }
  async function* pieces(which: number, start: number, time: number): Bytes {
    served.open += 1
    try {
      const content = contents[which] ?? new Uint8Array()
      for (let at = start; at < content.length; at += 100_000) {
        await Promise.resolve()
        const piece = change(new Uint8Array(content.slice(at, at + 100_000)), which, at, time)
        served.given += piece.length
        yield piece
      }
    } finally {
      served.open -= 1
    }
  }
}

const same = (piece: Uint8Array): Uint8Array => piece
const never = () => Promise.reject(new Error('manifests are not asked for'))

function planOf(...sources: readonly Served[]): Plan {
  const head = noise(1000, 99)
  const transfers = contents.map((content, at): Transfer => ({
    path: `blobs/${at}`,
    name: `image ${at}`,
    descriptor: { digest: digestOf(content), size: content.length, mediaType: 'x/y' },
    sources: sources.map(({ source }) => source),
  }))
  const ready = new Map([
    ['first.json', head],
    ['small', noise(700, 98)],
  ])
  const entries = [
    { path: 'first.json', size: head.length },
    ...transfers.slice(0, 4).map(({ path, descriptor }) => ({ path, size: descriptor.size })),
    { path: 'small', size: 700 },
    ...transfers.slice(4).map(({ path, descriptor }) => ({ path, size: descriptor.size })),
  ]
  return { head, ready, transfers, entries }
}

let whole: Uint8Array

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-stream-'))
  const file = join(folder, 'bundle.tar')
  await fillArchive(await openFileWriter(file), planOf(serve()), optionsOf())
  whole = await readFile(file)
  await rm(folder, { recursive: true })
})

let events: BundleEvent[] = []
const optionsOf = (more: Partial<StreamOptions> = {}): StreamOptions => {
  events = []
  return {
    emit: (event) => void events.push(event),
    signal: new AbortController().signal,
    concurrency: 4,
    ...more,
  }
}

/** Copies each piece before the next is asked for, as who reads has to. */
async function read(bytes: Bytes, into: Uint8Array[] = []): Promise<Uint8Array> {
  for await (const piece of bytes) into.push(new Uint8Array(piece))
  return Buffer.concat(into)
}
const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('the stream of an archive', () => {
  it.each([1, 3, 16])('has the bytes of the file, %i transfers at a time', async (concurrency) => {
    const tally = { fetched: 0 }
    const streamed = await read(streamArchive(planOf(serve()), optionsOf({ concurrency, tally })))
    expect(isSame(streamed, whole)).toBe(true)
    expect(tally.fetched).toBe(SIZES.reduce((sum, size) => sum + size, 0))
    expect(events[0]).toEqual({
      type: 'phase',
      phase: 'transfer',
      items: SIZES.length,
      bytes: tally.fetched,
    })
    const outcomes = events.filter(({ type }) => type === 'transferred')
    expect(outcomes.length).toBe(SIZES.length)
    expect(outcomes.every((event) => 'outcome' in event && event.outcome === 'copied')).toBe(true)
  })

  it('begins at any byte, and asks for nothing that lies before it', async () => {
    // A few of each kind: every offset costs a whole stream.
    const sizes = new Set([0, 511, 512, 513, 70_000, 8 * MIB + 1, 3])
    const part = (served: Served): Plan => {
      const plan = planOf(served)
      const entries = plan.entries.filter(({ path, size }) => plan.ready.has(path) || sizes.has(size))
      return { ...plan, entries, transfers: plan.transfers.filter((one) => sizes.has(one.descriptor.size)) }
    }
    const { entries, size } = place(part(serve()).entries)
    const all = await read(streamArchive(part(serve()), optionsOf()))
    expect(all.length).toBe(size)
    const offsets = new Set([0, size, size - 1, size - 1024, size - 1025, size + 5])
    for (const { headerAt, dataAt, size: length } of entries) {
      for (const at of [headerAt + (length % 7), dataAt + Math.floor(length / 3), dataAt + length]) {
        offsets.add(at)
      }
    }
    for (const from of offsets) {
      const served = serve()
      const streamed = await read(streamArchive(part(served), optionsOf({ from })))
      expect(isSame(streamed, all.subarray(from)), `from ${from}`).toBe(true)
      const due = entries.filter(
        (entry) => entry.path.startsWith('blobs/') && entry.size > 0 && entry.dataAt + entry.size > from,
      )
      // What is cut by the offset is read from its beginning, to be verified.
      expect(served.asked.every(({ start }) => start === 0)).toBe(true)
      expect(served.asked.length).toBe(due.length)
      expect(new Set(served.asked.map((one) => one.size))).toEqual(new Set(due.map((one) => one.size)))
    }
  })

  it('goes on inside of an entry with a hash that was begun before', async () => {
    const served = serve()
    const plan = planOf(served)
    const entry = place(plan.entries).entries.find(({ size }) => size === 11 * MIB + 7)
    const begun = 5 * MIB
    const known = contents[8]?.subarray(0, begun) ?? new Uint8Array()
    const from = (entry?.dataAt ?? 0) + begun
    const continuing = async function* (transfer: Transfer, content: Bytes): Bytes {
      const all = async function* (): Bytes {
        yield known
        yield* content
      }
      let seen = 0
      for await (const piece of verified(all(), transfer.descriptor)) {
        if (seen >= begun) yield piece
        seen += piece.length
      }
    }
    const verifier = (transfer: Transfer, start: number) =>
      start === begun ? (content: Bytes) => continuing(transfer, content) : undefined
    const streamed = await read(streamArchive(plan, optionsOf({ from, verifier })))
    expect(isSame(streamed, whole.subarray(from))).toBe(true)
    expect(served.asked).toContainEqual({ size: 11 * MIB + 7, start: begun })
    expect(served.asked.filter(({ size }) => size === 11 * MIB + 7).length).toBe(1)
  })

  it('asks again for small content that came wrong, before a byte of it goes out', async () => {
    const served = serve((piece, _, at, time) => (time === 0 && at === 0 ? flipped(piece) : piece))
    const small = contents.filter(({ length }) => length > 0 && length <= 8 * MIB)
    const plan = planOf(served)
    const onlySmall = plan.transfers.filter(({ descriptor }) => descriptor.size <= 8 * MIB)
    const entries = plan.entries.filter(({ size }) => size <= 8 * MIB)
    const cut = { ...plan, transfers: onlySmall, entries }
    const right = await read(streamArchive({ ...cut, transfers: sourced(onlySmall, serve()) }, optionsOf()))
    const streamed = await read(streamArchive(cut, optionsOf()))
    expect(isSame(streamed, right)).toBe(true)
    expect(served.asked.length).toBe(small.length * 2)
    expect(events.filter(({ type }) => type === 'warning').length).toBe(small.length)
  })

  it('never comes to its end with large content that is wrong', async () => {
    const served = serve((piece, which, at) => (which === 8 && at === 300_000 ? flipped(piece) : piece))
    const got: Uint8Array[] = []
    const error = await failureOf(read(streamArchive(planOf(served), optionsOf()), got))
    expect(error).toBeInstanceOf(BundleError)
    expect(error).toMatchObject({ kind: 'integrity', where: 'source image 8' })
    const entry = place(planOf(served).entries).entries.find(({ path }) => path === 'blobs/8')
    expect(Buffer.concat(got).length).toBeLessThan((entry?.dataAt ?? 0) + (entry?.size ?? 0))
    expect(events.findLast(({ type }) => type === 'transferred')).toBeDefined()
  })

  it('goes on with the next source where one stopped', async () => {
    const broken = serve((piece, _, at) => {
      if (at >= 200_000) throw new BundleError('cut', { kind: 'network' })
      return piece
    })
    const other = serve()
    const streamed = await read(streamArchive(planOf(broken, other), optionsOf()))
    expect(isSame(streamed, whole)).toBe(true)
    const large = other.asked.filter(({ size }) => size > 8 * MIB)
    expect(large.length).toBe(3)
    expect(large.every(({ start }) => start === 200_000)).toBe(true)
  })

  it('waits for a slow reader, with a bounded lead', async () => {
    const served = serve()
    let taken = 0
    let lead = 0
    for await (const piece of streamArchive(planOf(served), optionsOf({ concurrency: 16 }))) {
      taken += piece.length
      if (taken % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
      lead = Math.max(lead, served.given - taken)
    }
    expect(taken).toBe(whole.length)
    expect(lead).toBeLessThan(40 * MIB)
    // Latency does not rule: what comes next was fetched before its turn.
    expect(lead).toBeGreaterThan(9 * MIB)
  })

  it('lets go of every source when its reader leaves, when one fails, and when it is stopped', async () => {
    const left = serve()
    for await (const piece of streamArchive(planOf(left), optionsOf())) if (piece.length > 2000) break
    await settled(left)
    const failing = serve((piece, which) => {
      if (which === 7) throw new BundleError('gone', { kind: 'network' })
      return piece
    })
    expect(await failureOf(read(streamArchive(planOf(failing), optionsOf())))).toMatchObject({
      message: 'gone',
    })
    await settled(failing)
    const controller = new AbortController()
    const stopped = serve((piece, which) => {
      if (which === 8) controller.abort(new BundleError('stopped', { kind: 'cancelled' }))
      return piece
    })
    const error = await failureOf(
      read(streamArchive(planOf(stopped), optionsOf({ signal: controller.signal }))),
    )
    expect(error).toMatchObject({ kind: 'cancelled' })
    await settled(stopped)
  })
})

function flipped(piece: Uint8Array): Uint8Array {
  piece[0] = (piece[0] ?? 0) ^ 1
  return piece
}

const sourced = (transfers: readonly Transfer[], { source }: Served): Transfer[] =>
  transfers.map((transfer) => ({ ...transfer, sources: [source] }))

/** Sources are let go of as soon as they say something. */
const settled = (served: Served): Promise<void> => expect.poll(() => served.open).toBe(0)
