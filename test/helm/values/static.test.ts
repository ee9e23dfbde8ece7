import { describe, expect, it } from 'vitest'
import { readChart } from '../../../src/helm/values/chart/files.ts'
import { overrideValues } from '../../../src/helm/values/override.ts'
import { findStatic } from '../../../src/helm/values/static.ts'
import { pathText, type Values } from '../../../src/helm/values/tree.ts'
import { assignmentsFor } from '../../../src/helm/values/write/write.ts'
import { chartYaml, packChart } from '../../support/charts/pack.ts'

const chartOf = (values: string) =>
  readChart(packChart('c', { 'Chart.yaml': chartYaml('c'), 'values.yaml': values }))
const found = (values: string, layers: readonly Values[] = []) =>
  findStatic(chartOf(values), layers).map(({ path, reference }) => [pathText(path), reference])

describe('findStatic', () => {
  it.each([
    ['image: {registry: quay.io, repository: a/b, tag: ""}', [['image', 'quay.io/a/b:2.5.0']]],
    ['image: {registry: null, repository: busybox, tag: "1"}', [['image', 'docker.io/library/busybox:1']]],
    ['exporter: {image: {repo: team/x, tag: 2.0.2}}', [['exporter.image', 'docker.io/team/x:2.0.2']]],
    [
      'images: {busybox: {repository: busybox, tag: "1"}}',
      [['images.busybox', 'docker.io/library/busybox:1']],
    ],
    [
      'controllerImageRepository: quay.io/a/b\ncontrollerImageTag: "1"',
      [['controllerImageRepository', 'quay.io/a/b:1']],
    ],
    ['sidecarImage: quay.io/a/b:1', [['sidecarImage', 'quay.io/a/b:1']]],
    ['worker: {image: a/b, tag: "3"}', [['worker', 'docker.io/a/b:3']]],
    ['driver: {repository: nvcr.io/x, image: driver, version: "5"}', [['driver', 'nvcr.io/x/driver:5']]],
    ['runner: {image_prefix: "team/runner-"}', [['runner.image_prefix', 'docker.io/team/runner-']]],
    ['any: registry.k8s.io/pause:3.9', [['any', 'registry.k8s.io/pause:3.9']]],
    [
      'chart: {repository: "https://charts.example.com", version: "1"}\nimagePullPolicy: Always\nimagePullSecrets: [a]',
      [],
    ],
  ])('finds %s', (values, expected) => {
    expect(found(values)).toEqual(expected)
  })

  it('says that a place has no image yet', () => {
    expect(found('collectorImage: {repository: "", tag: "1"}')).toEqual([['collectorImage', '']])
  })

  it("reads the user's layers", () => {
    expect(found('image: {repository: a/b, tag: "1"}', [{ image: { tag: '2' } }])).toEqual([
      ['image', 'docker.io/a/b:2'],
    ])
  })

  it('writes without helm by the same rules, and calls nothing proven', () => {
    const bindings = findStatic(chartOf('image: {registry: "", repository: a/b, tag: "1"}'))
    const { assignments } = assignmentsFor(bindings, { destinationOf: (one) => `ecr.example/${one}` })
    expect(overrideValues(assignments, {})).toEqual({ image: { registry: 'ecr.example/docker.io' } })
    expect(bindings.every(({ proven }) => !proven)).toBe(true)
  })
})
