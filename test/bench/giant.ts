/**
 * How memory grows with the size of the bundle: one image of made-up layers goes out into a tar and in again
 * into a registry that keeps nothing. The zeros it is made of are dug out of the file while it grows, so that 50 GiB
 * need no disk.
 *
 *     npm run bench:giant                        0.5, 2 and 8 GiB
 *     npm run bench:giant -- --gib 50
 *     npm run bench:giant -- --gib 8 --layer 8192   in layers of so many MiB
 */
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measure } from './measure.ts'
import { compileOurs } from './ours.ts'
import { render, type Row } from './table.ts'

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '0.5,2,8' },
    layer: { type: 'string', default: '2048' },
    folder: { type: 'string', default: join(tmpdir(), 'ma-bundle-bench') },
    ours: { type: 'string' },
  },
})

const MIB = 2 ** 20
const ours = values.ours ?? (await compileOurs(values.folder))
const rows: Row[] = []
for (const gib of values.gib.split(',').map(Number)) {
  const mib = Math.min(Number(values.layer), gib * 1024)
  const layers = Math.round((gib * 1024) / mib)
  const registry = Bun.spawn(
    [process.execPath, join(import.meta.dir, 'made-up.ts'), String(layers), String(mib)],
    { stdout: 'pipe' },
  )
  const folder = join(values.folder, 'giant')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  try {
    const host = new TextDecoder().decode((await registry.stdout.getReader().read()).value).trim()
    const out = await measure({
      folder,
      timeoutSeconds: 3600,
      script: `echo 'images: [${host}/big:1]' > spec.yaml
(while sleep 2; do fallocate -d bundle.tar.partial || true; done) > /dev/null 2>&1 &
trap "kill $!" EXIT
${ours} export bundle.tar --spec spec.yaml --platform all --no-prove --quiet > /dev/null
fallocate -d bundle.tar`,
    })
    const back = await measure({
      folder,
      timeoutSeconds: 3600,
      script: `${ours} import bundle.tar --registry ${host}/in --quiet > /dev/null`,
    })
    if (!out.ok || !back.ok) process.stderr.write(`${out.output}\n${back.output}\n`)
    rows.push({
      name: `${gib} GiB, ${layers} layers`,
      cells: [out, back].flatMap(({ ok, seconds, cpu, memory }) => [
        ok ? seconds.toFixed(1) : 'failed',
        ((gib * 1024 * MIB) / 1e6 / seconds).toFixed(0),
        cpu.toFixed(1),
        (memory / MIB).toFixed(0),
      ]),
    })
  } finally {
    registry.kill()
    await registry.exited
    await rm(folder, { recursive: true, force: true })
  }
}
const way = (name: string): readonly string[] => [`${name} s`, 'MB/s', 'CPU s', 'MiB']
process.stdout.write(`${render(['', ...way('export'), ...way('import')], rows)}\n`)
