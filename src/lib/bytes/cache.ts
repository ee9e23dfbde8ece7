import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { link, lstat, mkdir, readdir, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { readSmall } from './small-file.ts'
import { codeOf } from '../errors.ts'

/**
 * Keeps results between runs. It never fails: what cannot be read or written is made again each time. It believes
 * nothing that lies on the disk: an entry that this user's own key did not seal is as good as none.
 */
export interface Cache {
  /** @returns what was put under that name, or undefined */
  get(name: string): Promise<unknown>
  put(name: string, value: unknown): Promise<void>
}

export interface CacheOptions {
  /** Where the entries lie. Anyone may have written there. */
  readonly folder: string
  /** The key that seals them; it is made when there is none. It should not lie in the folder. */
  readonly keyFile: string
  /** What made the entries: another program, or another version of it, does not see them. */
  readonly maker: string
  /** Bytes of all entries that are kept from before; those that were not used for longest go. */
  readonly limit?: number
}

/** @returns undefined when there is no place for the key */
export async function openCache({
  folder,
  keyFile,
  maker,
  limit = DEFAULT_LIMIT,
}: CacheOptions): Promise<Cache | undefined> {
  const key = await readOrMakeKey(keyFile)
  if (key === undefined) return undefined
  const nameOf = (name: string): string => sealOf(key, 'name', maker, name).toString('hex')
  const sweep = createSweep(folder, limit)
  return {
    get: (name) =>
      orNothing(async () => {
        const id = nameOf(name)
        const file = join(folder, id)
        // A pipe, say, would never end.
        if (!(await lstat(file)).isFile()) return undefined
        const raw = await readSmall(file, ENTRY_LIMIT)
        const text = raw.subarray(SEAL_BYTES).toString('utf8')
        const seal = raw.subarray(0, SEAL_BYTES)
        if (seal.length < SEAL_BYTES || !timingSafeEqual(seal, sealOf(key, 'entry', id, text)))
          return undefined
        const now = new Date()
        await orNothing(() => utimes(file, now, now))
        return JSON.parse(text) as unknown
      }),
    put: async (name, value) => {
      await orNothing(async () => {
        const id = nameOf(name)
        const text = JSON.stringify(value)
        if (text.length > ENTRY_LIMIT / 4) return
        await mkdir(folder, { recursive: true, mode: 0o700 })
        await sweep()
        const partial = join(folder, `${id}.${randomBytes(8).toString('hex')}${PARTIAL}`)
        try {
          await writeFile(partial, Buffer.concat([sealOf(key, 'entry', id, text), Buffer.from(text)]), {
            mode: 0o600,
            flag: 'wx',
          })
          await rename(partial, join(folder, id))
        } finally {
          await rm(partial, { force: true })
        }
      })
    },
  }
}

// --- internal ---

const MIB = 1024 * 1024
const DEFAULT_LIMIT = 64 * MIB
const ENTRY_LIMIT = 16 * MIB
const SEAL_BYTES = 32
const PARTIAL = '.partial'
const OWN_NAME = /^[0-9a-f]{64}(?:\.[0-9a-f]{16}\.partial)?$/
/** After so long, no process writes to it any more. */
const ABANDONED_MS = 60 * 60 * 1000

/** The parts one after another, each with its length, so that none can run into the next. */
function sealOf(key: Uint8Array, ...parts: readonly string[]): Buffer {
  const seal = createHmac('sha256', key)
  for (const part of parts) seal.update(`${Buffer.byteLength(part)}:`).update(part)
  return seal.digest()
}

/** A cache on a disk that is full, locked or broken is a cache without entries. */
async function orNothing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) !== undefined) return undefined
    throw error
  }
}

/** Two processes may both make one: the first stays. */
async function readOrMakeKey(file: string): Promise<Buffer | undefined> {
  return (await readKey(file)) ?? (await orNothing(() => makeKey(file))) ?? readKey(file)
}

/** Others may neither read nor have written it. */
const readKey = (file: string): Promise<Buffer | undefined> =>
  orNothing(async () => {
    const { mode, uid, size } = await lstat(file)
    const isFile = (mode & 0o170000) === 0o100000
    const isOwn = process.getuid === undefined || uid === process.getuid()
    if (!isFile || !isOwn || (mode & 0o077) !== 0 || size !== SEAL_BYTES) return undefined
    return readSmall(file)
  })

async function makeKey(file: string): Promise<undefined> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const partial = `${file}.${randomBytes(8).toString('hex')}${PARTIAL}`
  try {
    await writeFile(partial, randomBytes(SEAL_BYTES), { mode: 0o600, flag: 'wx' })
    await link(partial, file)
  } finally {
    await rm(partial, { force: true })
  }
}

/** Removes, once in a process, what is over the limit and what a killed process left half written. */
function createSweep(folder: string, limit: number): () => Promise<void> {
  let done = false
  return async () => {
    if (done) return
    done = true
    const names = (await readdir(folder)).filter((name) => OWN_NAME.test(name))
    const files = await Promise.all(
      names.map((name) =>
        orNothing(async () => {
          const { size, mtimeMs } = await lstat(join(folder, name))
          return { name, size, used: mtimeMs }
        }),
      ),
    )
    let sum = 0
    for (const file of files.flatMap((one) => one ?? []).toSorted((a, b) => b.used - a.used)) {
      const isAbandoned = file.name.endsWith(PARTIAL) && Date.now() - file.used > ABANDONED_MS
      sum += file.size
      if (sum > limit || isAbandoned) await orNothing(() => rm(join(folder, file.name), { force: true }))
    }
  }
}
