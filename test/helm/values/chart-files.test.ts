import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { chartTree, readChart } from '../../../src/helm/values/chart/files.ts'
import { effectiveValues } from '../../../src/helm/values/chart/effective.ts'
import { chartYaml, packChart, packTar, type TarEntry } from '../../support/charts/pack.ts'
import { pack } from '../../support/charts/shape.ts'
import { UMBRELLA } from '../../support/charts/umbrella.ts'

const tgz = (...entries: TarEntry[]): Uint8Array => gzipSync(packTar(entries))
const chart: TarEntry = { path: 'c/Chart.yaml', content: chartYaml('c') }

describe('readChart', () => {
  it('mounts subcharts by alias, from folders and from nested archives', () => {
    const read = readChart(pack(UMBRELLA))
    expect(
      [...chartTree(read)].map(({ chart: { metadata }, prefix }) => [prefix.join('.'), metadata.name]),
    ).toEqual([
      ['', 'umbrella'],
      ['blue', 'worker'],
      ['green', 'worker'],
      ['packed', 'packed'],
      ['library', 'library'],
    ])
    expect(read.subcharts.find(({ key }) => key === 'green')?.condition).toBe('green.enabled')
    expect(read.subcharts.find(({ key }) => key === 'library')?.chart.metadata.library).toBe(true)
    expect(read.subcharts.find(({ key }) => key === 'packed')?.chart.metadata.appVersion).toBe('7.7.7')
  })

  it('reads the dependencies of a helm 2 chart from requirements.yaml', () => {
    const read = readChart(
      packChart('old', {
        'Chart.yaml': 'apiVersion: v1\nname: old\nversion: 0.1.0\n',
        'requirements.yaml': 'dependencies:\n  - {name: inner, version: 1.0.0, alias: other}\n',
        'charts/inner/Chart.yaml': chartYaml('inner'),
      }),
    )
    expect(read.subcharts.map(({ key }) => key)).toEqual(['other'])
  })

  it.each([
    [
      'a link',
      tgz(chart, { path: 'c/values.yaml', content: '', type: 'SymbolicLink', linkpath: '/etc/passwd' }),
      /"c\/values.yaml" is a link/,
    ],
    [
      'a path that climbs',
      tgz(chart, { path: 'c/../../x', content: 'x' }),
      /"c\/\.\.\/\.\.\/x" points outside/,
    ],
    ['an absolute path', tgz(chart, { path: '/c/x', content: 'x' }), /"\/c\/x" points outside/],
    ['no gzip', new TextEncoder().encode('hello'), /not a gzip/],
    ['a bomb', gzipSync(Buffer.alloc(257 * 1024 * 1024)), /unpacks to more than 268435456 bytes/],
    ['a damaged tar', gzipSync(Buffer.alloc(1024, 'x')), /cannot be read/],
    ['no Chart.yaml', tgz({ path: 'c/values.yaml', content: 'a: 1' }), /no Chart.yaml/],
    [
      'values that are no map',
      tgz(chart, { path: 'c/values.yaml', content: '- 1' }),
      /values.yaml is not a map/,
    ],
    ['broken YAML', tgz(chart, { path: 'c/values.yaml', content: 'a: [1' }), /values.yaml is not YAML/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readChart(bytes, 'my-chart.tgz')).toThrow(message)
  })

  it('refuses archives that nest without end', () => {
    let inner = packChart('deep', { 'Chart.yaml': chartYaml('deep') })
    for (let depth = 0; depth < 12; depth += 1)
      inner = packChart('deep', { 'Chart.yaml': chartYaml('deep'), 'charts/deep.tgz': inner })
    expect(() => readChart(inner)).toThrow(/nest deeper than 10/)
  })
})

describe('effectiveValues', () => {
  const parent = readChart(
    packChart('parent', {
      'Chart.yaml': chartYaml('parent'),
      'values.yaml': 'global: {registry: ""}\nchild: {image: {tag: "2"}, off: {a: 1}}\n',
      'charts/child/Chart.yaml': chartYaml('child'),
      'charts/child/values.yaml':
        'global: {registry: child.example, other: x}\nimage: {repository: a/b, tag: "1"}\noff: {b: 2}\n',
    }),
  )

  it('lays the layers over the defaults of chart and subchart', () => {
    expect(
      effectiveValues(parent, [{ child: { image: { tag: '3' } } }, { child: { image: { tag: '4' } } }]).child,
    ).toEqual({
      image: { repository: 'a/b', tag: '4' },
      off: { a: 1, b: 2 },
    })
  })

  it('lifts the globals of a subchart; the parent wins, even with nothing', () => {
    expect(effectiveValues(parent).global).toEqual({ registry: '', other: 'x' })
  })
})
