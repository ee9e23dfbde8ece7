/**
 * How export and import grow: with images, with the size of layers, with transfers at a time, with distance, with
 * registries that refuse, and with many small requests. One thing changes at a time. Beside ma-bundle run the peer that
 * is fastest in bench.ts, when it is on PATH, and the floor; their columns are multiples of ma-bundle's seconds.
 *
 *     npm run bench:scaling                       20 minutes
 *     npm run bench:scaling -- --only latency
 *     npm run bench:scaling -- --beside hauler,floor --rounds 3
 *
 * Layers of 2 and 8 GiB, and bundles of up to 50, are in giant.ts.
 */
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeFixture, type Shape } from './fixture.ts'
import type { Line } from './line.ts'
import { compileOurs } from './ours.ts'
import { contenders } from './peers.ts'
import { race } from './race.ts'
import { render, type Row } from './table.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    beside: { type: 'string', default: 'imgpkg,floor' },
    rounds: { type: 'string', default: '1' },
    folder: { type: 'string', default: join(tmpdir(), 'ma-bundle-bench') },
    ours: { type: 'string' },
  },
})

interface Case {
  readonly block: string
  readonly name: string
  readonly shape: Shape
  readonly concurrency: number
  readonly line: Line
}

const MIB = 2 ** 20
const one = { platforms: ['linux/amd64'], apart: true }
const usual: Shape = { images: 16, bytes: 512 * MIB }
const many: Shape = { images: 64, bytes: 256 * MIB, layers: 30, ...one }
const near = { concurrency: 8, line: {} }

const cases: readonly Case[] = [
  ...[1, 4, 16, 64].map((images) => ({
    ...near,
    block: 'images',
    name: String(images),
    shape: { images, bytes: 512 * MIB },
  })),
  ...[
    [1, 512],
    [16, 32],
    [128, 4],
    [512, 1],
  ].map(([size = 0, layers = 0]) => ({
    ...near,
    block: 'layers',
    name: `${layers} of ${size} MiB`,
    shape: { images: 1, bytes: size * layers * MIB, layers, even: true, ...one },
  })),
  ...[1, 2, 4, 8, 16, 32].map((concurrency) => ({
    ...near,
    block: 'concurrency',
    name: String(concurrency),
    shape: usual,
    concurrency,
  })),
  ...[0, 20, 100].map((latency) => ({
    ...near,
    block: 'latency',
    name: `${latency} ms`,
    shape: usual,
    line: { latency },
  })),
  ...[50, 10, 4].map((busy) => ({
    ...near,
    block: '429s',
    name: `one request in ${busy}`,
    shape: usual,
    line: { busy },
  })),
  ...[{}, { secure: 'TLS' as const }, { secure: 'CONNECT' as const }].map((line) => ({
    ...near,
    block: 'line',
    name:
      'secure' in line ? { TLS: 'TLS', CONNECT: 'TLS through a CONNECT proxy' }[line.secure] : 'plain HTTP',
    shape: usual,
    line,
  })),
  ...[0, 20, 100].flatMap((latency) =>
    (latency === 0 ? [8] : [8, 32]).map((concurrency) => ({
      block: '64 images of 30 layers',
      name: `${latency} ms, ${concurrency} at a time`,
      shape: many,
      concurrency,
      line: { latency },
    })),
  ),
].filter(({ block }) => values.only === undefined || values.only.split(',').includes(block))

const beside = values.beside.split(',')
const racing = contenders(values.ours ?? (await compileOurs(values.folder))).filter(
  ({ name, program }) =>
    name === 'ma-bundle' || (beside.includes(name) && (program === undefined || Bun.which(program) !== null)),
)
const others = racing.map(({ name }) => name).filter((name) => name !== 'ma-bundle')

await mkdir(values.folder, { recursive: true })
const blocks = new Map<string, Row[]>()
const failures: string[] = []
for (const each of cases) {
  process.stderr.write(`${each.block}: ${each.name}\n`)
  blocks.set(each.block, [...(blocks.get(each.block) ?? []), await run(each)])
}
for (const [block, rows] of blocks) {
  const way = (name: string): readonly string[] => [`${name} s`, 'MiB', 'requests', 'of needed', ...others]
  process.stdout.write(`\n${render([block, ...way('export'), ...way('import')], rows)}\n`)
}
for (const line of failures) process.stdout.write(`failed: ${line}\n`)

async function run({ block, name, shape, concurrency, line }: Case): Promise<Row> {
  const key = JSON.stringify(shape).replaceAll(/[^a-z0-9]+/g, '-')
  const fixture = await makeFixture(join(values.folder, `fixture${key}`), shape)
  const result = await race({
    fixture,
    contenders: racing,
    line,
    concurrency,
    rounds: Number(values.rounds),
    folder: values.folder,
  })
  for (const [who, why] of result.failures) failures.push(`${block}, ${name}: ${who}, ${why}`)
  return {
    name,
    cells: (['export', 'import'] as const).flatMap((way) => {
      const ours = result.of('ma-bundle', way)
      return [
        ours?.seconds.toFixed(2) ?? 'failed',
        ((ours?.memory ?? Number.NaN) / MIB).toFixed(0),
        ours?.requests.toFixed(0) ?? '',
        ((ours?.requests ?? Number.NaN) / fixture.needed[way]).toFixed(2),
        ...others.map((other) => {
          const run = result.of(other, way)
          return run === undefined || ours === undefined ? 'failed' : (run.seconds / ours.seconds).toFixed(2)
        }),
      ]
    }),
  }
}
