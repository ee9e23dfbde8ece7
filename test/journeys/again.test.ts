import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { buildImage, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
const at = (name: string): string => join(folder, name)
const sha = (): string =>
  createHash('sha256')
    .update(readFileSync(at('b.tar')))
    .digest('hex')
const image = (seed: number): BuiltImage =>
  buildImage([layerOf({ base: noise(40_000, 1) }), layerOf({ own: noise(5000, seed) })], {
    platform: 'linux/amd64',
  })

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-again-'))
  source = await startSource({ images: { 'team/api:1': image(2), 'team/web:1': image(3) } })
})

afterEach(async () => {
  await source.stop()
  rmSync(folder, { recursive: true, force: true })
})

const run = (command: string, ...more: string[]): Promise<Outcome> =>
  runShell([
    command,
    at('b.tar'),
    `${source.host}/team/api:1`,
    `${source.host}/team/web:1`,
    '--no-prove',
    ...more,
  ])
/** Requests for layers; the platform of an image without an index stands in its config, which is small. */
const layersAsked = (from: number, ...images: readonly BuiltImage[]): readonly string[] => {
  const layers = images.flatMap(({ blobs }) =>
    [...blobs].flatMap(([digest, { length }]) => (length > 2000 ? [digest] : [])),
  )
  return source.requests
    .slice(from)
    .filter((request) => layers.some((digest) => request.startsWith('GET') && request.endsWith(digest)))
}

describe('an export over a bundle that is there', () => {
  it('fetches nothing when nothing has changed, says how much it kept, and makes the same bytes', async () => {
    expect(await run('export')).toMatchObject({ code: 0 })
    const before = sha()
    const asked = source.requests.length
    const again = await run('export')
    expect(again).toMatchObject({ code: 0 })
    expect(again.stdout).toMatch(/fetched 0 B in/)
    expect(again.stdout).toMatch(/[\d.]+ KiB came from the bundle that was there\./)
    expect(layersAsked(asked, image(2), image(3))).toEqual([])
    expect(sha()).toBe(before)
  })

  it('fetches only what has changed', async () => {
    expect(await run('export')).toMatchObject({ code: 0 })
    const changed = image(9)
    source.replace('team/web:1', changed)
    const asked = source.requests.length
    const dry = await run('export', '--dry-run', '--json')
    expect(layersAsked(asked, image(2), changed)).toEqual([])
    expect(dry).toMatchObject({ code: 0 })
    const again = await run('export', '--json')
    const result = again.json.find(({ type }) => type === 'result')?.['result']
    const own = [...changed.blobs.values()].at(-1)?.length ?? 0
    expect(result).toMatchObject({ reused: expect.any(Number) })
    expect(layersAsked(asked, image(2), changed)).toHaveLength(1)
    expect((result as { fetched: number }).fetched).toBeLessThan(own + 2000)
    expect((result as { reused: number }).reused).toBeGreaterThan(40_000)
    expect(await runShell(['verify', at('b.tar')])).toMatchObject({ code: 0 })
    expect((await runShell(['inspect', at('b.tar')])).stdout).toContain('team/web:1')
  })

  it('keeps the bundle that was there when the new one fails', async () => {
    expect(await run('export')).toMatchObject({ code: 0 })
    const before = sha()
    const failed = await run('export', `${source.host}/team/none:1`)
    expect(failed.code).not.toBe(0)
    expect(sha()).toBe(before)
    expect(await runShell(['verify', at('b.tar')])).toMatchObject({ code: 0 })
  })

  it('does not believe it: what rotted there is fetched again', async () => {
    expect(await run('export')).toMatchObject({ code: 0 })
    const before = sha()
    const bytes = readFileSync(at('b.tar'))
    const middle = bytes.length - 30_000
    bytes[middle] = (bytes[middle] ?? 0) ^ 1
    writeFileSync(at('b.tar'), bytes)
    const again = await run('export')
    expect(again).toMatchObject({ code: 0 })
    expect(sha()).toBe(before)
  })

  it('replaces a file that is no bundle', async () => {
    writeFileSync(at('b.tar'), 'something else')
    expect(await run('export')).toMatchObject({ code: 0 })
    expect(await runShell(['verify', at('b.tar')])).toMatchObject({ code: 0 })
  })
})
