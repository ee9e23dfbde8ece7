/**
 * Runs ma-bundle beside every peer on PATH on the same work, over real registries on loopback.
 *
 *     npm run bench                                40 images, 2 GiB, 3 rounds
 *     npm run bench -- --size 8 --images 60        GiB and images
 *     npm run bench -- --only ma-bundle,skopeo     some of them
 *     npm run bench -- --rounds 1 --concurrency 4 --folder /mnt/disk/bench
 *
 * The fixture stays in the folder for the next run; all else is removed. Needs docker-registry (apt).
 */
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { makeFixture, type Fixture } from './fixture.ts'
import { measure, median, type Cost } from './measure.ts'
import { contenders, type Contender, type Task } from './peers.ts'
import { startRegistry } from './registry.ts'
import { render, type Row } from './table.ts'

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '2' },
    images: { type: 'string', default: '40' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '8' },
    only: { type: 'string' },
    folder: { type: 'string', default: join(tmpdir(), 'ma-bundle-bench') },
    ours: {
      type: 'string',
      default: `'${process.execPath}' '${resolve(import.meta.dir, '../../src/cli.ts')}'`,
    },
  },
})

type Way = 'export' | 'import' | 'again'
type Run = Cost & { readonly requests: number }

const only = values.only?.split(',')
const all = contenders(values.ours).filter(({ name }) => only === undefined || only.includes(name))
const found = all.filter(({ program }) => program === undefined || Bun.which(program) !== null)
const missing = all.filter((one) => !found.includes(one)).map(({ name }) => name)
const runs = new Map<string, Run[]>()
const failures = new Map<string, string>()

const shape = { images: Number(values.images), bytes: Number(values.size) * 2 ** 30 }
await mkdir(values.folder, { recursive: true })
const fixture = await makeFixture(join(values.folder, `fixture-${values.images}-${values.size}`), shape)
const source = await startRegistry({ storage: fixture.storage })
try {
  // Every contender finds the source in the page cache.
  for (const { file } of fixture.blobs) await Bun.file(file).bytes()
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    // Another order each round, so that nobody always follows the same neighbour.
    const order = round % 2 === 1 ? found : found.toReversed()
    for (const contender of order) await compete(contender, round)
  }
} finally {
  await source.stop()
}
print(fixture)

async function compete(contender: Contender, round: number): Promise<void> {
  const { name } = contender
  if (failures.has(name)) return
  const exported = await emptied('exported')
  const target = await emptied('target')
  const home = await emptied('import')
  const task = (host: string): Task => ({
    source: source.host,
    target: host,
    fixture,
    concurrency: Number(values.concurrency),
    exported,
  })
  const before = await source.requests()
  const out = await measure({ script: contender.export(task('')), folder: exported })
  if (!keep(name, 'export', round, out, total(await source.requests()) - total(before))) return
  const registry = await startRegistry({ storage: target })
  try {
    const into = await measure({ script: contender.import(task(registry.host)), folder: home })
    const first = total(await registry.requests())
    if (!keep(name, 'import', round, into, first)) return
    if (name === 'floor') return
    const again = await measure({
      script: contender.import(task(registry.host)),
      folder: await emptied('import'),
    })
    keep(name, 'again', round, again, total(await registry.requests()) - first)
  } finally {
    await registry.stop()
    for (const folder of [exported, target, home]) await rm(folder, { recursive: true, force: true })
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

function keep(name: string, way: Way, round: number, cost: Cost, requests: number): boolean {
  process.stderr.write(
    `round ${round} ${name} ${way}: ${cost.seconds.toFixed(2)} s${cost.ok ? '' : ' FAILED'}\n`,
  )
  if (!cost.ok) failures.set(name, `${way}: ${cost.output || 'no output'}`)
  else runs.set(`${name} ${way}`, [...(runs.get(`${name} ${way}`) ?? []), { ...cost, requests }])
  return cost.ok
}

function print({ images, bytes, blobs, needed }: Fixture): void {
  const write = (line: string): unknown => process.stdout.write(`${line}\n`)
  write(
    `\n${images.length} images for two platforms, ${blobs.length} blobs, ${(bytes / 2 ** 20).toFixed(0)} MiB,`,
  )
  write(
    `${values.rounds} rounds, ${values.concurrency} at a time; medians. MB = 10^6 bytes; "x" = times ma-bundle's seconds.`,
  )
  for (const way of ['export', 'import', 'again'] as const) {
    const ours = median((runs.get(`ma-bundle ${way}`) ?? []).map(({ seconds }) => seconds))
    const rows = found.flatMap((one): Row[] => {
      const all = runs.get(`${one.name} ${way}`)
      if (all === undefined) return []
      const of = (pick: (run: Run) => number): number => median(all.map(pick))
      const seconds = of((run) => run.seconds)
      return [
        {
          name: one.name,
          note: way === 'export' ? one.note : '',
          cells: [
            seconds.toFixed(2),
            (seconds / ours).toFixed(2),
            of((run) => run.cpu).toFixed(1),
            (of((run) => run.memory) / 2 ** 20).toFixed(0),
            (of((run) => run.written) / bytes).toFixed(2),
            (of((run) => run.disk) / bytes).toFixed(2),
            of((run) => run.requests).toFixed(0),
            (of((run) => run.requests) / (way === 'again' ? images.length : needed[way])).toFixed(2),
          ],
        },
      ]
    })
    const title = {
      export: 'export',
      import: 'import into an empty registry',
      again: 'the same import again',
    }[way]
    const count = way === 'again' ? images.length : needed[way]
    write(`\n${title} (${count} requests are needed)`)
    write(render(['', 's', 'x', 'CPU s', 'MiB', 'written', 'disk', 'requests', 'of needed'], rows))
  }
  write('written, disk: bytes sent to the disk and the most held there, in sizes of the fixture.')
  if (missing.length > 0) write(`not on PATH, not measured: ${missing.join(', ')}`)
  for (const [name, why] of failures) write(`failed: ${name}, ${why}`)
  if (!existsSync('/proc/self/io')) write('no /proc/self/io here: bytes written are not known')
}
