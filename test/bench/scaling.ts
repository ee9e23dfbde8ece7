/**
 * How export and import grow: with images, with the size of layers, with transfers at a time, with distance, and
 * with many small requests. One thing changes at a time; everything else is as in the first row of each block.
 *
 *     npm run bench:scaling                       5 minutes
 *     npm run bench:scaling -- --large            also a layer of 2 GiB
 *     npm run bench:scaling -- --only latency
 *
 * Bundles of 8 and 50 GiB are in giant.ts.
 */
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { createAuthority } from '../support/certificates.ts'
import { startNameProxy } from '../support/name-proxy.ts'
import { makeFixture, type Shape } from './fixture.ts'
import { measure, type Cost } from './measure.ts'
import { contenders } from './peers.ts'
import { startRegistry } from './registry.ts'
import { render, type Row } from './table.ts'

const { values } = parseArgs({
  options: {
    large: { type: 'boolean', default: false },
    only: { type: 'string' },
    folder: { type: 'string', default: join(tmpdir(), 'ma-bundle-bench') },
    ours: {
      type: 'string',
      default: `'${process.execPath}' '${resolve(import.meta.dir, '../../src/cli.ts')}'`,
    },
  },
})

interface Case {
  readonly block: string
  readonly name: string
  readonly shape: Shape
  readonly concurrency: number
  readonly latency: number
  /** Plain HTTP to loopback when absent. */
  readonly line?: 'TLS' | 'CONNECT'
  /** Every so many requests one is answered with 429. */
  readonly busy?: number
}

const MIB = 2 ** 20
const one = { platforms: ['linux/amd64'], apart: true }
const usual: Shape = { images: 16, bytes: 512 * MIB }
const many: Shape = { images: 64, bytes: 256 * MIB, layers: 30, ...one }
const layersOf = (size: number, count: number): Case => ({
  block: 'layers',
  name: `${count} of ${size} MiB`,
  shape: { images: 1, bytes: size * count * MIB, layers: count, even: true, ...one },
  concurrency: 8,
  latency: 0,
})
const cases: readonly Case[] = [
  ...[1, 4, 16, 64].map((images) => ({
    block: 'images',
    name: String(images),
    shape: { images, bytes: 512 * MIB },
    concurrency: 8,
    latency: 0,
  })),
  layersOf(1, 512),
  layersOf(16, 32),
  layersOf(128, 4),
  layersOf(512, 1),
  ...(values.large ? [layersOf(2048, 1)] : []),
  ...[1, 2, 4, 8, 16, 32].map((concurrency) => ({
    block: 'concurrency',
    name: String(concurrency),
    shape: usual,
    concurrency,
    latency: 0,
  })),
  ...[0, 20, 100].map((latency) => ({
    block: 'latency',
    name: `${latency} ms`,
    shape: usual,
    concurrency: 8,
    latency,
  })),
  ...[undefined, 'TLS' as const, 'CONNECT' as const].map((line) => ({
    block: 'line',
    name: { plain: 'plain HTTP', TLS: 'TLS', CONNECT: 'TLS through a CONNECT proxy' }[line ?? 'plain'],
    shape: usual,
    concurrency: 8,
    latency: 0,
    ...(line === undefined ? {} : { line }),
  })),
  ...[50, 10, 4].map((busy) => ({
    block: '429s',
    name: `one request in ${busy}`,
    shape: usual,
    concurrency: 8,
    latency: 0,
    busy,
  })),
  ...[0, 20, 100].flatMap((latency) =>
    (latency === 0 ? [8] : [8, 32]).map((concurrency) => ({
      block: '64 images of 30 layers',
      name: `${latency} ms, ${concurrency} at a time`,
      shape: many,
      concurrency,
      latency,
    })),
  ),
].filter(({ block }) => values.only === undefined || block.includes(values.only))

const us = contenders(values.ours)[0]
if (us === undefined) throw new Error('nothing to measure')
const blocks = new Map<string, Row[]>()
for (const each of cases) {
  process.stderr.write(`${each.block}: ${each.name}\n`)
  blocks.set(each.block, [...(blocks.get(each.block) ?? []), await run(each)])
}
for (const [block, rows] of blocks) {
  const way = (name: string): readonly string[] => [`${name} s`, 'MB/s', 'MiB', 'requests', 'of needed']
  process.stdout.write(`\n${render([block, ...way('export'), ...way('import')], rows)}\n`)
}

async function run({ name, shape, concurrency, latency, line, busy }: Case): Promise<Row> {
  await mkdir(values.folder, { recursive: true })
  const key = JSON.stringify(shape).replaceAll(/[^a-z0-9]+/g, '-')
  const fixture = await makeFixture(join(values.folder, `fixture${key}`), shape)
  const exported = await emptied('exported')
  const storage = await emptied('target')
  const names = ['source.example', 'target.example']
  const authority = line === undefined ? undefined : await createAuthority()
  const tls = await authority?.issue('registry', {
    only: ['localhost', ...names].map((name) => `DNS:${name}`),
  })
  const secure = tls === undefined ? {} : { tls }
  const source = await startRegistry({ storage: fixture.storage, ...secure })
  const target = await startRegistry({ storage, ...secure })
  const proxy =
    line === 'CONNECT'
      ? await startNameProxy((host) => Number((host === names[0] ? source : target).host.split(':')[1]))
      : undefined
  const far =
    proxy === undefined
      ? await Promise.all(
          [source.host, target.host].map((host) =>
            busy === undefined ? relayed('delay.ts', host, latency) : relayed('busy.ts', host, busy),
          ),
        )
      : names.map((host) => ({ host, stop: () => Promise.resolve() }))
  const env = {
    ...(authority === undefined ? {} : { SSL_CERT_FILE: authority.caFile }),
    ...(proxy === undefined ? {} : { HTTPS_PROXY: proxy.url }),
  }
  try {
    const task = { source: far[0]?.host ?? '', target: far[1]?.host ?? '', fixture, concurrency, exported }
    const columns = (cost: Cost, requests: number, needed: number): readonly string[] => [
      cost.ok ? cost.seconds.toFixed(2) : 'failed',
      (fixture.bytes / 1e6 / cost.seconds).toFixed(0),
      (cost.memory / MIB).toFixed(0),
      String(requests),
      (requests / needed).toFixed(2),
    ]
    const out = await measure({ script: us?.export(task) ?? '', folder: exported, env })
    const back = await measure({ script: us?.import(task) ?? '', folder: await emptied('import'), env })
    if (!out.ok || !back.ok) process.stderr.write(`${out.output}\n${back.output}\n`)
    return {
      name,
      cells: [
        ...columns(out, total(await source.requests()), fixture.needed.export),
        ...columns(back, total(await target.requests()), fixture.needed.import),
      ],
    }
  } finally {
    for (const server of [...far, source, target]) await server.stop()
    await proxy?.stop()
    await authority?.remove()
    for (const folder of ['exported', 'target', 'import'])
      await rm(join(values.folder, folder), { recursive: true, force: true })
  }
}

/** A relay before a host; with nothing to do, the host itself. */
async function relayed(
  script: string,
  host: string,
  argument: number,
): Promise<{ readonly host: string; stop(): Promise<void> }> {
  if (argument === 0) return { host, stop: () => Promise.resolve() }
  const relay = Bun.spawn([process.execPath, join(import.meta.dir, script), host, String(argument)], {
    stdout: 'pipe',
  })
  const reader = relay.stdout.getReader()
  const { value } = await reader.read()
  return {
    host: new TextDecoder().decode(value).trim(),
    async stop() {
      relay.kill()
      await relay.exited
    },
  }
}

async function emptied(name: string): Promise<string> {
  const folder = join(values.folder, name)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  return folder
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
