import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openArchive } from '../../src/archive/reader.ts'
import type { PlacedEntry } from '../../src/archive/tar.ts'
import { decodeContents } from '../../src/bundle/format/contents.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { random } from '../support/random.ts'
import { runShell } from '../support/shell.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'

let folder: string
let small: SmallBundle
let target: RegistryDouble
let entries: readonly PlacedEntry[]
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flips-'))
  ;[small, target] = await Promise.all([makeSmallBundle(), startDouble()])
  const size = Number.parseInt(Buffer.from(small.bytes.subarray(124, 136)).toString(), 8)
  const contents = decodeContents(small.bytes.subarray(512, 512 + size))
  const reader = { size: small.bytes.length, read: () => nothing(), close: () => Promise.resolve() }
  entries = [...openArchive(reader, [{ path: 'bundle.json', size }, ...contents.entries]).entries.values()]
})
afterAll(async () => {
  await Promise.all([small.remove(), target.stop()])
  rmSync(folder, { recursive: true })
})

async function* nothing(): AsyncIterable<Uint8Array> {}

const file = (): string => join(folder, 'damaged.tar')

/** One damage of one place; a swap of equal bytes is none, so it moves on to where they differ. */
function damage(bytes: Uint8Array, kind: string, next: () => number): { at: number; bytes: Uint8Array } {
  const at = Math.floor(next() * bytes.length)
  const changed = Uint8Array.from(bytes)
  const byte = bytes[at] ?? 0
  if (kind === 'flip') changed[at] = byte ^ (1 << Math.floor(next() * 8))
  if (kind === 'replace') changed[at] = (byte + 1 + Math.floor(next() * 255)) % 256
  if (kind === 'delete') return { at, bytes: Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]) }
  if (kind === 'insert' || kind === 'double') {
    const more = kind === 'double' ? byte : Math.floor(next() * 256)
    return { at, bytes: Buffer.concat([bytes.subarray(0, at), Uint8Array.of(more), bytes.subarray(at)]) }
  }
  if (kind === 'swap') {
    let from = at
    while (bytes[from] === bytes[from + 1]) from = (from + 1) % (bytes.length - 1)
    changed[from] = bytes[from + 1] ?? 0
    changed[from + 1] = bytes[from] ?? 0
    return { at: from, bytes: changed }
  }
  return { at, bytes: changed }
}

const KINDS = ['flip', 'replace', 'delete', 'insert', 'double', 'swap']
const SEED = 7
const ROUNDS = 40

describe('verify', () => {
  it.each(KINDS)('finds every %s of a byte', async (kind) => {
    const next = random(`${SEED} ${kind}`)
    for (let round = 0; round < ROUNDS; round += 1) {
      const { at, bytes } = damage(small.bytes, kind, next)
      writeFileSync(file(), bytes)
      const { code, stdout, stderr } = await runShell(['verify', file(), '--quiet'])
      expect({ at, code }, stderr).toEqual({ at, code: 5 })
      const named = [
        ...`${stdout}${stderr}`.matchAll(/(?:at byte|it has|bytes after|cut off|bundle.json is damaged)/g),
      ]
      expect(named.length, `byte ${at}: ${stdout}${stderr}`).toBeGreaterThan(0)
    }
  })

  it('names the entry and its place for every flip within one', async () => {
    const next = random('within')
    for (const entry of entries) {
      if (entry.size === 0) continue
      const bytes = Uint8Array.from(small.bytes)
      const at = entry.dataAt + Math.floor(next() * entry.size)
      bytes[at] = (bytes[at] ?? 0) ^ 1
      writeFileSync(file(), bytes)
      const { code, json } = await runShell(['verify', file(), '--json'])
      expect(code).toBe(5)
      const found = json.find(({ type }) => type === 'result')?.['result'] as
        | { damaged: { path: string; offset: number; size: number }[] }
        | undefined
      const damaged = found?.damaged ?? []
      if (entry.path !== 'SHA256SUMS') {
        expect(damaged, `${entry.path} ${at}`).toMatchObject([
          { path: entry.path, offset: entry.dataAt, size: entry.size },
        ])
        continue
      }
      // A line of SHA256SUMS about something that is no blob: one of the two is wrong, and nothing says which.
      expect(damaged.length).toBeGreaterThan(0)
    }
  })
})

describe('import', () => {
  /** Every tag at the destination, with its digest. */
  const tags = (): readonly string[] =>
    [...target.contents.manifests]
      .flatMap(([repository, all]) =>
        [...all].flatMap(([tag, { raw }]) =>
          tag.startsWith('sha256:')
            ? []
            : [`${repository}:${tag} ${new Bun.CryptoHasher('sha256').update(raw).digest('hex')}`],
        ),
      )
      .toSorted()
  const forget = (): void => {
    target.contents.manifests.clear()
    target.contents.blobs.clear()
    target.contents.sessions.clear()
  }
  const run = () =>
    runShell(['import', file(), '--registry', target.host, '--values', join(folder, 'v.yaml'), '--quiet'])

  it.each(KINDS)('never lets a wrong byte through after a %s', async (kind) => {
    writeFileSync(file(), small.bytes)
    forget()
    expect((await run()).code).toBe(0)
    const right = tags()
    expect(right).toHaveLength(3)
    const next = random(`import ${SEED} ${kind}`)
    for (let round = 0; round < ROUNDS / 2; round += 1) {
      forget()
      const { at, bytes } = damage(small.bytes, kind, next)
      writeFileSync(file(), bytes)
      const { code, stderr } = await run()
      expect(stderr).not.toContain('bug in ma-bundle')
      expect([0, 5], `byte ${at}: ${stderr}`).toContain(code)
      if (code === 0) expect(tags()).toEqual(right)
      else for (const tag of tags()) expect(right, `byte ${at}`).toContain(tag)
      for (const [, blobs] of target.contents.blobs) {
        for (const [digest, content] of blobs) {
          expect(`sha256:${new Bun.CryptoHasher('sha256').update(content).digest('hex')}`).toBe(digest)
        }
      }
    }
  })
})
