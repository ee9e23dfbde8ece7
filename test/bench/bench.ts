/**
 * Runs ma-bundle beside every peer on PATH on the same work, over real registries on loopback.
 *
 *     npm run bench                                50 images, 4 GiB, 3 rounds
 *     npm run bench -- --size 8 --images 60        GiB and images
 *     npm run bench -- --latency 20                registries 20 ms away
 *     npm run bench -- --only ma-bundle,skopeo     some of them
 *     npm run bench -- --ours 'bun src/cli.ts'     not compiled
 *     npm run bench -- --rounds 1 --concurrency 4 --folder /mnt/disk/bench
 *
 * The fixture stays in the folder for the next run; all else is removed. Needs docker-registry (apt).
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeFixture } from './fixture.ts'
import { compileOurs } from './ours.ts'
import { contenders } from './peers.ts'
import { race, type Way } from './race.ts'
import { render, type Row } from './table.ts'

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '4' },
    images: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '8' },
    latency: { type: 'string', default: '0' },
    only: { type: 'string' },
    folder: { type: 'string', default: join(tmpdir(), 'ma-bundle-bench') },
    ours: { type: 'string' },
  },
})

const only = values.only?.split(',')
const all = contenders(values.ours ?? (await compileOurs(values.folder))).filter(
  ({ name }) => only === undefined || only.includes(name),
)
const found = all.filter(({ program }) => program === undefined || Bun.which(program) !== null)
const missing = all.filter((one) => !found.includes(one)).map(({ name }) => name)

await mkdir(values.folder, { recursive: true })
const fixture = await makeFixture(join(values.folder, `fixture-${values.images}-${values.size}`), {
  images: Number(values.images),
  bytes: Number(values.size) * 2 ** 30,
})
const { images, bytes, blobs, needed } = fixture
const { of, failures } = await race({
  fixture,
  contenders: found,
  line: { latency: Number(values.latency) },
  rounds: Number(values.rounds),
  concurrency: Number(values.concurrency),
  again: true,
  folder: values.folder,
})

const write = (line: string): unknown => process.stdout.write(`${line}\n`)
write(
  `\n${images.length} images for two platforms, ${blobs.length} blobs, ${(bytes / 2 ** 20).toFixed(0)} MiB,`,
)
const far = values.latency === '0' ? '' : `, registries ${values.latency} ms away`
write(
  `${values.rounds} rounds, ${values.concurrency} at a time${far}; medians. "x" = times ma-bundle's seconds.`,
)
for (const way of ['export', 'import', 'again'] as const) table(way)
write('written, disk: bytes sent to the disk and the most held there, in sizes of the fixture.')
if (missing.length > 0) write(`not on PATH, not measured: ${missing.join(', ')}`)
for (const [name, why] of failures) write(`failed: ${name}, ${why}`)
if (!existsSync('/proc/self/io')) write('no /proc/self/io here: bytes written are not known')

function table(way: Way): void {
  const ours = of('ma-bundle', way)?.seconds ?? Number.NaN
  const count = way === 'again' ? images.length : needed[way]
  const rows = found.flatMap(({ name, note }): Row[] => {
    const run = of(name, way)
    if (run === undefined) return []
    const { seconds, cpu, memory, written, disk, requests } = run
    return [
      {
        name,
        note: way === 'export' ? note : '',
        cells: [
          seconds.toFixed(2),
          (seconds / ours).toFixed(2),
          cpu.toFixed(1),
          (memory / 2 ** 20).toFixed(0),
          (written / bytes).toFixed(2),
          (disk / bytes).toFixed(2),
          requests.toFixed(0),
          (requests / count).toFixed(2),
        ],
      },
    ]
  })
  const title = {
    export: 'export',
    import: 'import into an empty registry',
    again: 'the same import again',
  }[way]
  write(`\n${title} (${count} requests are needed)`)
  write(render(['', 's', 'x', 'CPU s', 'MiB', 'written', 'disk', 'requests', 'of needed'], rows))
}
