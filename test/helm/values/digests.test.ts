import { describe, expect, it } from 'vitest'
import { readChart } from '../../../src/helm/values/chart/files.ts'
import { createHelm } from '../../../src/helm/values/render/helm.ts'
import { landOverride } from '../../../src/helm/values/write/try-override.ts'
import { findByRendering } from '../../../src/helm/values/search.ts'
import { chartYaml, deployment, packChart } from '../../support/charts/pack.ts'
import { helmBinary } from '../../support/helm.ts'

const HEX = 'd'.repeat(64)
const HOST = 'registry.example/m'

async function pinned(values: string, image: string, major: 3 | 4): Promise<unknown> {
  const tgz = packChart('pin', {
    'Chart.yaml': chartYaml('pin'),
    'values.yaml': values,
    'templates/all.yaml': deployment('pin', image),
  })
  const renderer = await (await createHelm(await helmBinary(major))).open(tgz)
  try {
    const chart = readChart(tgz)
    const search = await findByRendering(chart, [], renderer, { digests: true })
    const landed = await landOverride(chart, [], search, renderer, {
      destinationOf: (reference) => `${HOST}/${reference}`,
      digestOf: () => `sha256:${HEX}`,
    })
    expect(landed.notLanded).toEqual([])
    return landed.values
  } finally {
    await renderer.close()
  }
}

describe.each([3, 4] as const)("digests, in the chart's own spelling, with helm %i", (major) => {
  const repository = `${HOST}/quay.io/a/b`

  it.each([
    [
      'after the tag, with its prefix',
      'image: {repository: quay.io/a/b, tag: "1", digest: ""}\n',
      '{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ with .Values.image.digest }}@{{ . }}{{ end }}',
      { image: { repository, digest: `sha256:${HEX}` } },
    ],
    [
      'after the tag, bare',
      'image: {repository: quay.io/a/b, tag: "1", sha: ""}\n',
      '{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ with .Values.image.sha }}@sha256:{{ . }}{{ end }}',
      { image: { repository, sha: HEX } },
    ],
    [
      'in place of the tag, undeclared',
      'image: {repository: quay.io/a/b, tag: "1"}\n',
      '{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag }}{{ end }}',
      { image: { repository, digest: `sha256:${HEX}` } },
    ],
    [
      'nowhere: a declared leaf that is dead, so that the tag stays',
      'image: {repository: quay.io/a/b, tag: "1", digest: ""}\n',
      '{{ .Values.image.repository }}:{{ .Values.image.tag }}',
      { image: { repository } },
    ],
    [
      'nowhere: setting it is forbidden',
      'image: {repository: quay.io/a/b, tag: "1", sha: ""}\n',
      '{{ if .Values.image.sha }}{{ fail "no" }}{{ end }}{{ .Values.image.repository }}:{{ .Values.image.tag }}{{ with .Values.image.sha }}@{{ . }}{{ end }}',
      { image: { repository } },
    ],
    [
      'pinned by default to another',
      `image: {repository: quay.io/a/b, digest: "sha256:${'e'.repeat(64)}"}\n`,
      '{{ .Values.image.repository }}@{{ .Values.image.digest }}',
      { image: { repository, digest: `sha256:${HEX}` } },
    ],
  ])('%s', async (_, values, image, expected) => {
    expect(await pinned(values, image, major)).toEqual(expected)
  })
})
