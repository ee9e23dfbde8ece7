import { parseSpec } from '../../../src/bundle/spec/spec.ts'
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { closeAll, renderCharts, type HelmSetup } from '../../../src/bundle/charts/render-all.ts'
import type { BundleEvent } from '../../../src/bundle/run/events.ts'
import { createHelm } from '../../../src/helm/values/render/helm.ts'
import { chartYaml, deployment, packChart } from '../../support/charts/pack.ts'
import { helmBinary } from '../../support/helm.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ma-bundle-side-by-side-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
afterEach(() => vi.unstubAllEnvs())

const chart = (name: string, template = deployment(name, `quay.io/team/${name}:1`)) => ({
  chart: name,
  name: `${name}:1.0.0`,
  tgz: packChart(name, { 'Chart.yaml': chartYaml(name), 'templates/app.yaml': template }),
})

const setupOf = async (program: string): Promise<HelmSetup> => ({
  program: await createHelm(program),
  given: { consumer: [], consumerFiles: [], charts: new Map() },
  variants: [],
  spec: parseSpec('images: []\n', 'list.yaml'),
})

describe('charts of a bundle', () => {
  it('are rendered side by side, and come back in their order', async () => {
    // A helm that waits until another one runs: one chart after another would wait in vain and fail.
    const meeting = join(folder, 'meeting')
    const helm = join(folder, 'helm')
    await writeFile(
      helm,
      `#!/bin/sh
case "$1" in template) : > '${meeting}'.$$; n=0
until [ "$(ls '${meeting}'.* | wc -l)" -ge 2 ]; do n=$((n+1)); [ $n -gt 600 ] && exit 9; sleep 0.05; done;; esac
exec '${await helmBinary(4)}' "$@"
`,
    )
    await chmod(helm, 0o755)
    const events: BundleEvent[] = []
    const { rendered } = await renderCharts(
      [chart('small'), chart('large', deployment('large', 'quay.io/team/large:1') + '#'.repeat(50_000))],
      await setupOf(helm),
      { emit: (event) => events.push(event), signal: new AbortController().signal },
    )
    await closeAll(rendered)
    expect(rendered.map(({ bound }) => bound.chart)).toEqual(['small', 'large'])
    expect((await readdir(folder)).length).toBeGreaterThanOrEqual(3)
    expect(events.filter(({ type }) => type === 'root')).toHaveLength(2)
    expect(events.filter(({ type }) => type === 'warning')).toEqual([])
  })

  it('are let go of when one of them cannot be read', async () => {
    const broken = { ...chart('broken'), tgz: new Uint8Array(64) }
    const scratch = await mkdtemp(join(folder, 'scratch-'))
    vi.stubEnv('TMPDIR', scratch)
    await expect(
      renderCharts([chart('good'), broken], await setupOf(await helmBinary(4)), {
        emit: () => undefined,
        signal: new AbortController().signal,
      }),
    ).rejects.toThrow('the chart cannot be read')
    expect(await readdir(scratch)).toEqual([])
  })
})
