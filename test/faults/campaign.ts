import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { mountSmall } from '../support/mount.ts'
import { random } from '../support/random.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { sha256 } from '../support/registry/protocol.ts'
import { chooseEcrFault, chooseFault, chooseInterruption, chooseTrouble, pick } from './choose.ts'
import { judge } from './judge.ts'
import { spawned, type Circumstances, type Ended } from './spawned.ts'
import { clockOf, plant, rot, signalled, troubled, words } from './trouble.ts'

/** What one seeded run came to. */
export interface RunReport {
  readonly seed: string
  /** `ecr`: an import into ECR. */
  readonly direction: 'export' | 'import' | 'ecr'
  readonly faults: readonly string[]
  readonly interrupted?: string
  readonly trouble?: string
  readonly code: number
  /** Requests of the run with faults, and of the one after it without. */
  readonly requests: number
  readonly again: number
  /** What broke the promise; empty when it was kept. */
  readonly broken: readonly string[]
}

export interface Campaign {
  run(seed: string): Promise<RunReport>
  stop(): Promise<void>
}

/** A source with two images, and runs of the program as a process against it, or into an empty registry. */
export async function startCampaign(): Promise<Campaign> {
  const folder = mkdtempSync(join(tmpdir(), 'campaign-'))
  const [source, target] = await Promise.all([startDouble(), startDouble()])
  const layer = (seed: number, size: number): Uint8Array => layerOf({ file: noise(size, seed) })
  const shared = layer(1, 400_000)
  const image = (seed: number, platform: string): BuiltImage =>
    buildImage([shared, layer(seed, 900_000), layer(seed + 50, 30_000)], { platform })
  const images = {
    'team/one': buildIndex([image(2, 'linux/amd64'), image(3, 'linux/arm64')]),
    'team/two': image(4, 'linux/amd64'),
  }
  for (const [repository, built] of Object.entries(images)) {
    fill(source, repository, built)
    source.addManifest(repository, built.raw, '1', built.mediaType)
  }
  const spec = join(folder, 'spec.yaml')
  writeFileSync(spec, `images: ["${source.host}/team/one:1", "${source.host}/team/two:1"]\n`)
  const whole = join(folder, 'whole.tar')
  const exportTo = (file: string) => ['export', file, '--spec', spec, '--quiet']
  const importing = [
    'import',
    whole,
    '--registry',
    target.host,
    '--values',
    join(folder, 'values.yaml'),
    '--quiet',
  ]
  const clean = await spawned(exportTo(whole), { cwd: folder })
  if (clean.code !== 0) throw new Error(`without faults the export ends with ${clean.code}: ${clean.stderr}`)
  const bytes = readFileSync(whole)

  const checkExport = (file: string): string[] => {
    if (!existsSync(file)) return ['there is no bundle']
    return Buffer.compare(readFileSync(file), bytes) === 0 ? [] : ['the bundle has other bytes']
  }
  const checkImport = (complete: boolean): string[] => {
    const broken: string[] = []
    const host = source.host.replace(':', '-')
    for (const [repository, built] of Object.entries(images)) {
      const stored = target.contents.manifests.get(`mirrored/${host}/${repository}`)
      const found = stored?.get('1')
      if (found === undefined && complete) broken.push(`${repository}:1 is not there`)
      if (found !== undefined && sha256(found.raw) !== built.digest)
        broken.push(`${repository}:1 is another image`)
    }
    for (const blobs of target.contents.blobs.values()) {
      for (const [digest, content] of blobs)
        if (sha256(content) !== digest) broken.push(`${digest} has other bytes`)
    }
    return broken
  }

  const disk = join(folder, 'disk')
  mkdirSync(disk)
  const mounted = await mountSmall(disk, 16 * 1024 ** 2)

  async function run(seed: string): Promise<RunReport> {
    const next = random(seed)
    const direction = pick(next, ['export', 'import', 'ecr'] as const)
    const trouble = chooseTrouble(next, direction)
    const place = trouble?.kind === 'disk' ? disk : folder
    const file = join(place, `${seed.replaceAll(/\W/g, '-')}.tar`)
    const double = direction === 'export' ? source : target
    for (const map of [target.contents.blobs, target.contents.manifests]) map.clear()
    target.contents.sessions.clear()
    const ecr = direction === 'ecr' ? await startEcr({ tls: false, quotas: 'none' }) : undefined
    const chosen = Array.from({ length: 1 + Math.floor(next() * 3) }, () =>
      ecr === undefined ? chooseFault(next) : chooseEcrFault(next),
    )
    for (const one of chosen) {
      if ('change' in one.fault) double.addFault(one.fault)
      else ecr?.faults.add(one.fault)
    }
    const interrupted = chosen.some(({ stalls }) => stalls) || next() < 0.5
    const interruption = interrupted ? chooseInterruption(next) : undefined
    const args = ecr === undefined ? (direction === 'export' ? exportTo(file) : importing) : importingTo(ecr)
    const env = ecr?.environment ?? {}
    const requests = (): number => (ecr === undefined ? double.take().length : ecr.log.entries.length)
    const check = (complete: boolean): string[] => {
      if (ecr !== undefined) return checkEcr(ecr, complete)
      if (direction === 'import') return checkImport(complete)
      // Killed between the rename and the end, the bundle may be there: then it is whole.
      return complete || existsSync(file) ? checkExport(file) : []
    }
    try {
      double.take()
      if (trouble?.kind === 'planted') await plant(`${file}.partial`, whole, trouble.spare)
      const limits = trouble?.kind === 'files' ? { files: trouble.limit } : {}
      const around = { cwd: folder, env, ...clockOf(trouble), ...limits }
      const rival =
        trouble?.kind === 'second' ? rivalOf(args, trouble.afterMs, { cwd: folder, env }) : undefined
      const first = await spawned(args, around, (child) => [
        ...signalled(child, interruption),
        ...troubled(trouble, disk, ecr),
      ])
      const other = await rival
      const before = requests()
      double.clearFaults()
      ecr?.faults.clear()
      rmSync(join(disk, 'filler'), { force: true })
      const broken = judge(first, interruption, trouble)
      if (other !== undefined) broken.push(...judge(other, undefined, trouble))
      if (trouble?.kind === 'rot') rot(`${file}.partial`, trouble.bits, next)
      broken.push(...check(first.code === 0))
      const second = await spawned(args, { cwd: folder, env })
      const again = requests() - (ecr === undefined ? 0 : before)
      if (second.code !== 0)
        broken.push(`run again it ends with ${second.code}: ${second.stderr.slice(0, 300)}`)
      broken.push(...check(true))
      if (existsSync(`${file}.partial`)) broken.push('a partial file is left')
      return {
        seed,
        direction,
        faults: chosen.map(({ name }) => name),
        ...(interruption === undefined
          ? {}
          : { interrupted: `${interruption.signals.join('+')} at ${interruption.afterMs} ms` }),
        ...(trouble === undefined ? {} : { trouble: words(trouble) }),
        code: first.code,
        requests: before,
        again,
        broken,
      }
    } finally {
      rmSync(file, { force: true })
      await ecr?.stop()
    }
  }

  const importingTo = ({ registry, endpoint, region }: Ecr): string[] => [
    'import',
    whole,
    '--registry',
    registry,
    '--endpoint-url',
    endpoint,
    '--region',
    region,
    '--values',
    join(folder, 'values.yaml'),
    '--quiet',
  ]

  function checkEcr(ecr: Ecr, complete: boolean): string[] {
    const tags = ecr.tags()
    const host = source.host.replace(':', '-')
    return Object.entries(images).flatMap(([repository, { digest }]) => {
      const found = tags[`mirrored/${host}/${repository}:1`]
      if (found === undefined) return complete ? [`${repository}:1 is not there`] : []
      return found === digest ? [] : [`${repository}:1 is another image`]
    })
  }

  /** The same command once more, at the same time. */
  const rivalOf = async (args: readonly string[], afterMs: number, around: Circumstances): Promise<Ended> => {
    await Bun.sleep(afterMs)
    return spawned(args, around)
  }

  return {
    run,
    async stop() {
      await mounted.unmount()
      await Promise.all([source.stop(), target.stop()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

// --- internal ---

function fill(double: RegistryDouble, repository: string, image: BuiltImage): void {
  for (const content of image.blobs.values()) double.addBlob(repository, content)
  for (const child of image.children) fill(double, repository, child)
  double.addManifest(repository, image.raw, undefined, image.mediaType)
}
