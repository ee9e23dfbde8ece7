import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from './images.ts'
import { runShell } from './shell.ts'
import { startSource, type EmbeddedSource } from './source.ts'

/** A bundle of some 2 MB as one file and as volumes of 256 KiB, with the place it came from still running. */
export interface VolumeSet {
  readonly folder: string
  readonly spec: string
  /** Path of the whole bundle, which `volumes` below `set` are the pieces of. */
  readonly whole: string
  readonly set: string
  /** Names of the volumes. */
  readonly names: readonly string[]
  readonly source: EmbeddedSource
  readonly images: Readonly<Record<string, BuiltImage>>
  /** A new folder with these files of the set. */
  copy(folder: string, names: readonly string[]): string
  remove(): Promise<void>
}

export const SPLIT = 256 * 1024
export const LIST = 'bundle.tar.volumes.json'

/** @param seed another one makes another bundle that is laid out alike */
export async function makeVolumeSet(seed = 1): Promise<VolumeSet> {
  const folder = mkdtempSync(join(tmpdir(), 'ma-bundle-volumes-'))
  const shared = layerOf({ base: noise(150_000, 1) })
  const image = (size: number, own: number, platform = 'linux/amd64'): BuiltImage =>
    buildImage([shared, layerOf({ own: noise(size, own * seed) })], { platform })
  const images = {
    'team/one:1': buildIndex([image(200_000, 2), image(250_000, 3, 'linux/arm64')]),
    'team/two:2': image(600_000, 4),
    'team/three:3': image(900_000, 5),
    'team/four:4': buildImage([layerOf({ small: noise(3000, 6 * seed) })]),
  }
  const source = await startSource({ images })
  const spec = join(folder, 'spec.yaml')
  writeFileSync(
    spec,
    `images:\n${Object.keys(images)
      .map((name) => `  - ${source.host}/${name}\n`)
      .join('')}`,
  )
  const [whole, set] = [join(folder, 'whole'), join(folder, 'set')]
  mkdirSync(whole)
  mkdirSync(set)
  for (const args of [[join(whole, 'bundle.tar')], [join(set, 'bundle.tar'), '--split', String(SPLIT)]]) {
    const { code, stderr } = await runShell(['export', ...args, '--spec', spec])
    if (code !== 0) throw new Error(`the export ended with ${code}: ${stderr}`)
  }
  const list = JSON.parse(readFileSync(join(set, LIST), 'utf8')) as { volumes: { name: string }[] }
  return {
    folder,
    spec,
    whole: join(whole, 'bundle.tar'),
    set,
    names: list.volumes.map(({ name }) => name),
    source,
    images,
    copy(to, names) {
      const target = join(folder, to)
      mkdirSync(target, { recursive: true })
      for (const name of names) copyFileSync(join(set, name), join(target, name))
      return target
    },
    async remove() {
      await source.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
