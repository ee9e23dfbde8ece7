import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { buildImage, layerOf, noise, pushImage } from '../support/images.ts'
import { peakOf } from '../support/peak.ts'

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
  const out = await peakOf(['export', 'bundle.tar', '--spec', 'spec.yaml'], folder)
  const back = await peakOf(['import', 'bundle.tar', '--registry', `${registry.host}/in`], folder)
  expect(out / MIB).toBeLessThan(150)
  expect(back / MIB).toBeLessThan(150)
})
