import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { digestOf } from '../../src/oci/digest.ts'
import { packChartFolder } from '../support/charts.ts'
import { runCli } from '../support/cli.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { helmBinary } from '../support/helm.ts'
import { buildImage, buildIndex, layerOf, noise, pushImage, type BuiltImage } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import type { Programs } from './programs.ts'

/** What is carried: images of both formats and a chart that helm itself pushed, signed where cosign is there. */
export interface Journey {
  readonly folder: string
  readonly source: DockerRegistry
  readonly images: Readonly<Record<string, BuiltImage>>
  /** The public key of cosign's signatures. */
  readonly key: string | undefined
  /** Where an image lands below a registry. */
  landed(name: string): string
  /** @throws with what the program printed */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<string>
}

export const CHART = 'shop-web'
export const CHART_VERSION = '1.4.0'

const base = layerOf({ 'etc/base': noise(200_000, 1) })
const both = (seed: number, docker: boolean): BuiltImage =>
  buildIndex(
    ['linux/amd64', 'linux/arm64'].map((platform, at) =>
      buildImage([base, layerOf({ app: noise(50_000, seed + at) })], { platform, docker }),
    ),
    { docker },
  )

/** Makes the source and the bundle `bundle.tar`, with its signatures. */
export async function startJourney(folder: string, programs: Programs): Promise<Journey> {
  const source = await startDockerRegistry()
  const images = {
    'shop/web:1.4.0': both(10, false),
    'shop/worker:2.0.1': both(40, true),
    'shop/migrate:0.9.0': buildImage([base, layerOf({ app: noise(50_000, 30) })]),
  }
  for (const [name, image] of Object.entries(images)) {
    const [path = '', tag] = name.split(':')
    await pushImage(`http://${source.host}`, path, tag, image)
  }
  const chart = await packChartFolder(join(import.meta.dirname, '..', 'quickstart', 'charts', CHART))
  await writeFile(join(folder, 'chart.tgz'), chart.tgz)
  await runProgram(
    await helmBinary(3),
    ['push', '--plain-http', 'chart.tgz', `oci://${source.host}/charts`],
    {
      cwd: folder,
      env: { HOME: folder, PATH: process.env['PATH'] ?? '' },
    },
  )
  const key = await sign(folder, source, images, programs)
  const names = Object.keys(images).map((name) => `"${source.host}/${name}"`)
  await writeFile(
    join(folder, 'spec.yaml'),
    `images: [${names.join(', ')}]\ncharts: ["${CHART}|${CHART_VERSION}|oci://${source.host}/charts"]\n`,
  )
  const run: Journey['run'] = async (args, env = {}) => {
    const outcome = await runCli(args, { cwd: folder, env })
    if (outcome.code !== 0)
      throw new Error(`ma-bundle ${args[0]} ended with ${outcome.code}: ${outcome.stderr}`)
    return outcome.stdout
  }
  await run([
    'export',
    'bundle.tar',
    '--spec',
    'spec.yaml',
    '--platform',
    'all',
    '--referrers',
    '--no-prove',
    '--quiet',
  ])
  return {
    folder,
    source,
    images,
    key,
    run,
    landed: (name) => `mirrored/${source.host.replace(':', '-')}/${name}`,
  }
}

/** Whether a registry gives the very bytes of an image's top manifest. */
export async function isSame(host: string, path: string, image: BuiltImage): Promise<boolean> {
  const colon = path.lastIndexOf(':')
  const url = `http://${host}/v2/${path.slice(0, colon)}/manifests/${path.slice(colon + 1)}`
  const answer = await fetch(url, { headers: { accept: image.mediaType } })
  return digestOf(new Uint8Array(await answer.arrayBuffer())) === image.digest
}

// --- internal ---

/** Offline, without a transparency log, as cosign 3 wants it said. */
const OFFLINE = ['--use-signing-config=false', '--tlog-upload=false', '--yes', '--allow-http-registry']

async function sign(
  folder: string,
  source: DockerRegistry,
  images: Readonly<Record<string, BuiltImage>>,
  programs: Programs,
): Promise<string | undefined> {
  const cosign = programs('cosign')
  const image = images['shop/web:1.4.0']
  if (cosign === undefined || image === undefined) return undefined
  const env = { HOME: folder, PATH: process.env['PATH'] ?? '', COSIGN_PASSWORD: '' }
  await runProgram(cosign, ['generate-key-pair'], { cwd: folder, env })
  const reference = `${source.host}/shop/web@${image.digest}`
  await runProgram(cosign, ['sign', '--key', 'cosign.key', '--recursive', ...OFFLINE, reference], {
    cwd: folder,
    env,
  })
  return join(folder, 'cosign.pub')
}
