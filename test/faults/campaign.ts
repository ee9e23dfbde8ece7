import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { startCli } from '../support/cli.ts'
import { random } from '../support/random.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { changed, cutAfter, drip, reset, status, tooMany, type Fault } from '../support/registry/faults.ts'
import { sha256 } from '../support/registry/protocol.ts'

/** What one seeded run came to. */
export interface RunReport {
  readonly seed: string
  readonly direction: 'export' | 'import'
  readonly faults: readonly string[]
  readonly interrupted?: string
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
  const clean = await spawned(exportTo(whole), folder)
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

  return {
    async run(seed) {
      const next = random(seed)
      const direction = next() < 0.5 ? 'export' : 'import'
      const file = join(folder, `${seed.replaceAll(/\W/g, '-')}.tar`)
      const double = direction === 'export' ? source : target
      const args = direction === 'export' ? exportTo(file) : importing
      for (const map of [target.contents.blobs, target.contents.manifests]) map.clear()
      target.contents.sessions.clear()
      const chosen = Array.from({ length: 1 + Math.floor(next() * 3) }, () => chooseFault(next))
      for (const { fault } of chosen) double.addFault(fault)
      const interruption = next() < 0.5 ? chooseInterruption(next) : undefined
      double.take()
      const first = await spawned(args, folder, interruption)
      const requests = double.take().length
      double.clearFaults()
      const broken: string[] = []
      if (/bug in ma-bundle/.test(first.stderr)) broken.push(`a bug: ${first.stderr.slice(0, 300)}`)
      const killed = interruption !== undefined && first.code > 128
      if (!killed && ![0, 1, 4, 5].includes(first.code))
        broken.push(`exit code ${first.code}: ${first.stderr.slice(0, 300)}`)
      if (!killed && first.code !== 0 && !/^error: /m.test(first.stderr))
        broken.push('it failed without a word')
      if (direction === 'import') broken.push(...checkImport(first.code === 0))
      else if (first.code === 0) broken.push(...checkExport(file))
      // Killed between the rename and the end, the bundle may be there: then it is whole.
      else if (existsSync(file)) broken.push(...checkExport(file))
      const second = await spawned(args, folder)
      const again = double.take().length
      if (second.code !== 0)
        broken.push(`run again it ends with ${second.code}: ${second.stderr.slice(0, 300)}`)
      broken.push(...(direction === 'export' ? checkExport(file) : checkImport(true)))
      if (existsSync(`${file}.partial`)) broken.push('a partial file is left')
      rmSync(file, { force: true })
      const faults = chosen.map(({ name }) => name)
      return {
        seed,
        direction,
        faults,
        ...(interruption === undefined
          ? {}
          : { interrupted: `${interruption.signals.join('+')} at ${interruption.afterMs} ms` }),
        code: first.code,
        requests,
        again,
        broken,
      }
    },
    async stop() {
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

interface Interruption {
  readonly signals: readonly NodeJS.Signals[]
  readonly afterMs: number
}

function chooseInterruption(next: () => number): Interruption {
  const kinds: readonly (readonly NodeJS.Signals[])[] = [
    ['SIGKILL'],
    ['SIGTERM'],
    ['SIGINT'],
    ['SIGINT', 'SIGINT'],
  ]
  return {
    signals: kinds[Math.floor(next() * kinds.length)] ?? ['SIGKILL'],
    afterMs: 100 + Math.floor(next() * 700),
  }
}

const WHERE: Readonly<Record<string, RegExp>> = {
  manifests: /\/manifests\//,
  blobs: /\/blobs\/sha256/,
  uploads: /^PUT .*\/uploads\//,
  sessions: /^POST .*\/uploads\//,
  all: /./,
}

/** Each passes after a few times, as real ones do; runs must bear them or fail in words. */
function chooseFault(next: () => number): { readonly name: string; readonly fault: Fault } {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(next() * list.length)]
  const where = pick(Object.keys(WHERE)) ?? 'all'
  const bytes = Math.floor(next() * 500_000)
  const kinds: Readonly<Record<string, Fault['change']>> = {
    reset,
    'cut off': cutAfter(bytes),
    '429': tooMany({ 'retry-after': '0' }),
    '429 for a second': tooMany({ 'retry-after': '1' }),
    '500': status(500, 'oops'),
    '503': status(503, ''),
    '502 page': status(502, '<html><title>Bad Gateway</title>', { 'content-type': 'text/html' }),
    'wrong bytes': changed(({ body }) => ({
      body: Buffer.from(body.map((byte, at) => (at === bytes % Math.max(body.length, 1) ? byte ^ 1 : byte))),
    })),
    'too short': changed(({ body }) => ({ body: body.subarray(0, Math.floor(body.length / 2)) })),
    slow: drip(64 * 1024, 5),
  }
  const kind = pick(Object.keys(kinds)) ?? 'reset'
  const every = 1 + Math.floor(next() * 4)
  const times = 1 + Math.floor(next() * 3)
  const change = kinds[kind] ?? reset
  const on = WHERE[where] ?? /./
  return { name: `${kind} of ${where}, every ${every}, ${times} times`, fault: { on, every, times, change } }
}

async function spawned(
  args: readonly string[],
  cwd: string,
  interruption?: Interruption,
): Promise<{ readonly code: number; readonly stderr: string }> {
  const child = startCli(args, { cwd })
  const timers = (interruption?.signals ?? []).map((signal, at) =>
    setTimeout(() => child.kill(signal), (interruption?.afterMs ?? 0) + at * 30),
  )
  const [stderr] = await Promise.all([new Response(child.stderr).text(), new Response(child.stdout).text()])
  const code = await child.exited
  for (const timer of timers) clearTimeout(timer)
  return { code, stderr }
}
