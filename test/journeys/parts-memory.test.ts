import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCli } from '../support/cli.ts'
import { startEcr } from '../support/ecr/server.ts'
import { noise } from '../support/images.ts'
import { startMetered } from '../support/metered-source.ts'
import { peakOf } from '../support/peak.ts'

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
      const importing = ['import', 'b.tar', ...place, '--resumable-uploads']
      const peak = await peakOf(importing, folder, ecr.environment)
      expect(peak / MIB).toBeLessThan(150)
    } finally {
      await ecr.stop()
      await source.stop()
      await rm(folder, { recursive: true, force: true })
    }
  },
)
