import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readChart } from '../../../src/helm/values/chart/files.ts'
import { createHelm, type Helm } from '../../../src/helm/values/render/helm.ts'
import { landOverride } from '../../../src/helm/values/write/try-override.ts'
import { prove } from '../../../src/helm/values/prove.ts'
import { findByRendering } from '../../../src/helm/values/search.ts'
import type { Values } from '../../../src/helm/values/tree.ts'
import { chartYaml, deployment, packChart } from '../../support/charts/pack.ts'
import { helmBinary } from '../../support/helm.ts'

const HOST = 'registry.example/mirrored'
const destinationOf = (reference: string): string => `${HOST}/${reference}`

const CHART = packChart('proof', {
  'Chart.yaml': chartYaml('proof'),
  'values.yaml':
    'app: {image: {repository: quay.io/team/app, tag: "1.0"}}\nside: {image: {repository: quay.io/team/side, tag: "1.0"}}\n',
  'templates/all.yaml': `${deployment('app', '{{ .Values.app.image.repository }}:{{ .Values.app.image.tag }}')}---
${deployment('side', '{{ .Values.side.image.repository }}:{{ .Values.side.image.tag }}')}---
${deployment('fixed', 'quay.io/team/fixed:1.0')}`,
})

let helm: Helm
beforeAll(async () => {
  helm = await createHelm(await helmBinary(4))
})

async function proofOf(
  layers: readonly Values[],
  bundled: (reference: string) => boolean,
  override?: Values,
) {
  const renderer = await helm.open(CHART)
  try {
    const chart = readChart(CHART)
    const search = await findByRendering(chart, layers, renderer)
    const landed = await landOverride(chart, layers, search, renderer, { destinationOf })
    return await prove(layers, override ?? landed.values, renderer, search, {
      destinationOf,
      isPrivate: (reference) => reference.startsWith(`${HOST}/`),
      isBundled: bundled,
    })
  } finally {
    await renderer.close()
  }
}

describe('prove', () => {
  it('tells bound from not bundled from unreachable, with a remedy', async () => {
    const proof = await proofOf([], (reference) => !reference.includes('side'))
    expect(proof.references.map(({ original, verdict }) => [original, verdict])).toEqual([
      ['quay.io/team/app:1.0', 'bound'],
      ['quay.io/team/side:1.0', 'not-bundled'],
      ['quay.io/team/fixed:1.0', 'unreachable'],
    ])
    expect(proof.references[1]?.remedy).toBe('add quay.io/team/side:1.0 to the spec and export again')
    expect(proof.references[2]?.remedy).toContain('ma-bundle post-render')
    expect(proof.holds).toBe(false)
  })

  it("judges what the user's own layers render, not the chart's defaults", async () => {
    const proof = await proofOf([{ app: { image: { tag: '2.0' } } }], () => true)
    expect(proof.references[0]?.reference).toBe(`${HOST}/quay.io/team/app:2.0`)
  })

  it('sees an override that names the wrong image', async () => {
    const wrong = { app: { image: { repository: `${HOST}/quay.io/team/other` } } }
    const proof = await proofOf([], () => true, wrong)
    expect(proof.references[0]?.verdict).toBe('unreachable')
    expect(proof.references[0]?.remedy).toContain(`it should be ${HOST}/quay.io/team/app:1.0`)
  })

  it("reports in helm's words what does not render", async () => {
    const proof = await proofOf([], () => true, { app: 'a string over a map' })
    expect(proof.failures).toHaveLength(1)
    expect(proof.failures[0]?.message).toMatch(/app|image/)
    expect(proof.holds).toBe(false)
  })
})

describe('createHelm', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'helm-test-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it.each([3, 4] as const)('knows helm %i by its version', async (major) => {
    const { version } = await createHelm(await helmBinary(major))
    expect(version).toMatch(new RegExp(`^v${major}\\.`))
  })

  it('refuses what is not helm', async () => {
    const fake = join(folder, 'helm')
    await writeFile(fake, '#!/bin/sh\necho v2.17.0\n')
    await chmod(fake, 0o755)
    await expect(createHelm(fake)).rejects.toThrow(/is not helm 3 or helm 4: v2.17.0/)
    await expect(createHelm(join(folder, 'missing'))).rejects.toThrow(/is not helm 3 or helm 4/)
  })

  it('renders the same options once and leaves no file behind', async () => {
    const before = (await readdir(tmpdir())).filter((name) => name.startsWith('ma-bundle-helm-')).length
    const renderer = await helm.open(CHART)
    await Promise.all([
      renderer.template({}),
      renderer.template({}),
      renderer.template({ values: [{ app: {} }] }),
    ])
    expect(renderer.renders).toBe(2)
    await renderer.close()
    const after = (await readdir(tmpdir())).filter((name) => name.startsWith('ma-bundle-helm-')).length
    expect(after).toBeLessThanOrEqual(before)
  })

  it('keeps its own folder out of what helm says', async () => {
    const renderer = await helm.open(CHART)
    const rendered = await renderer.template({ values: [{ app: 'x' }] })
    await renderer.close()
    expect(rendered.ok).toBe(false)
    if (!rendered.ok) expect(rendered.message).not.toContain(tmpdir())
  })
})
