import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { runCli } from '../support/cli.ts'
import { startEcr } from '../support/ecr/server.ts'
import { noise } from '../support/images.ts'
import { startMetered } from '../support/metered-source.ts'

const MIB = 1024 * 1024

test(
  'uploads in parts, which ECR wants as base64 in JSON, stay below 150 MiB too',
  { timeout: 180_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parts-'))
    const layers = Array.from({ length: 6 }, (_, at) => noise(48 * MIB, at + 1))
    const source = await startMetered({ one: layers }, 2000 * MIB)
    const ecr = await startEcr({ tls: false, quotas: 'none' })
    try {
      await writeFile(join(folder, 'spec.yaml'), `images: [${source.host}/big:one]\n`)
      const exporting = ['export', 'b.tar', '--spec', 'spec.yaml', '--platform', 'linux/amd64']
      expect(await runCli(exporting, { cwd: folder })).toMatchObject({ code: 0 })
      const place = ['--registry', ecr.registry, '--endpoint-url', ecr.endpoint, '--region', ecr.region]
      const importing = ['import', 'b.tar', ...place, '--resumable-uploads', '--quiet']
      const root = resolve(import.meta.dirname, '../..')
      const child = Bun.spawn(
        [
          process.execPath,
          '--preload',
          join(root, 'test/support/peak-memory.ts'),
          join(root, 'src/cli.ts'),
          ...importing,
        ],
        {
          cwd: folder,
          env: {
            PATH: process.env['PATH'],
            HOME: folder,
            ...ecr.environment,
            PEAK_MEMORY_FILE: join(folder, 'peak'),
          },
          stderr: 'pipe',
        },
      )
      expect(await new Response(child.stderr).text()).toBe('')
      expect(await child.exited).toBe(0)
      const peak = Number(await readFile(join(folder, 'peak'), 'utf8'))
      expect(peak / MIB).toBeLessThan(150)
    } finally {
      await ecr.stop()
      await source.stop()
      await rm(folder, { recursive: true, force: true })
    }
  },
)
