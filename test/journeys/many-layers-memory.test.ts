import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { buildImage, layerOf, noise, pushImage } from '../support/images.ts'

const MIB = 2 ** 20
const IMAGES = 48
const LAYERS = 30

let folder: string
let registry: DockerRegistry

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ma-bundle-many-layers-'))
  registry = await startDockerRegistry()
  const names: string[] = []
  for (let at = 0; at < IMAGES; at += 1) {
    const layers = Array.from({ length: LAYERS }, (_, n) =>
      layerOf({ own: noise(100_000, 1 + at * LAYERS + n) }),
    )
    await pushImage(`http://${registry.host}`, `many/app-${at}`, '1', buildImage(layers))
    names.push(`${registry.host}/many/app-${at}:1`)
  }
  await writeFile(join(folder, 'spec.yaml'), `images: ${JSON.stringify(names)}\n`)
}, 120_000)
afterAll(async () => {
  await registry.stop()
  await rm(folder, { recursive: true, force: true })
})

test('1440 small layers go out and in with less than 150 MiB', { timeout: 120_000 }, async () => {
  const out = await peakOf('export', 'bundle.tar', '--spec', 'spec.yaml')
  const back = await peakOf('import', 'bundle.tar', '--registry', `${registry.host}/in`)
  expect(out / MIB).toBeLessThan(150)
  expect(back / MIB).toBeLessThan(150)
})

/** Runs the program and returns its peak in bytes. */
async function peakOf(...args: readonly string[]): Promise<number> {
  const root = resolve(import.meta.dirname, '../..')
  const peak = join(folder, 'peak')
  const child = Bun.spawn(
    [
      process.execPath,
      '--preload',
      join(root, 'test/support/peak-memory.ts'),
      join(root, 'src/cli.ts'),
      ...args,
      '--quiet',
    ],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', HOME: folder, PEAK_MEMORY_FILE: peak },
      stdout: 'ignore',
      stderr: 'pipe',
    },
  )
  expect(await new Response(child.stderr).text()).toBe('')
  expect(await child.exited).toBe(0)
  return Number(await readFile(peak, 'utf8'))
}
