import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { startDouble } from '../support/registry/double.ts'
import { runShell } from '../support/shell.ts'
import { startSource } from '../support/source.ts'

/** A registry answers the PUT of a layer when it is on its disk, or in its bucket: seconds after the last byte. */
const LAYERS = 10
const MIB = 1024 * 1024
/** 4 MiB come over loopback in less. */
const QUIET_MS = 2000

let folder: string
const bundle = (): string => join(folder, 'bundle.tar')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'commit-wait-'))
  const layers = Array.from({ length: LAYERS }, (_, seed) => layerOf({ own: noise(4 * MIB, seed) }))
  const source = await startSource({ images: { 'team/one:1': buildImage(layers, {}) } })
  const spec = join(folder, 'spec.yaml')
  writeFileSync(spec, `images:\n  - ${source.host}/team/one:1\n`)
  const exported = await runShell(['export', bundle(), '--spec', spec, '--quiet'])
  expect(exported.stderr).toBe('')
  await source.stop()
})
afterAll(() => rmSync(folder, { recursive: true }))

/** How many layers wait for their answer when no more come; then all are answered. */
async function mostWaiting(concurrency: number): Promise<number> {
  const double = await startDouble()
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>()
  let waiting = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  void answered.then(() => double.clearFaults())
  double.addFault({
    on: /^PUT .*uploads/,
    change: (next, request) => {
      if (request.body.length < MIB) return next()
      waiting += 1
      clearTimeout(timer)
      timer = setTimeout(answer, QUIET_MS)
      return { ...next(), after: answered }
    },
  })
  try {
    const how = ['--concurrency', String(concurrency), '--values', join(folder, 'v.yaml'), '--quiet']
    const outcome = await runShell(['import', bundle(), '--registry', double.host, ...how])
    expect(outcome.stderr).toBe('')
    expect(outcome.code).toBe(0)
    return waiting
  } finally {
    await double.stop()
  }
}

it.each([
  // Each that waits counts a quarter, and the next needs room for a whole one.
  [2, 5],
  [3, 9],
  // One at a time is meant so.
  [1, 1],
])(
  'with %i at a time, the next layers are sent while %i wait for their answer',
  async (concurrency, most) => {
    expect(await mostWaiting(concurrency)).toBe(most)
  },
)
