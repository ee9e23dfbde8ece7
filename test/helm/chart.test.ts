import { gzipSync } from 'node:zlib'
import { Header } from 'tar'
import { describe, expect, it } from 'vitest'
import { readChartMetadata } from '../../src/helm/chart.ts'
import { layerOf } from '../support/images.ts'

const CHART = `apiVersion: v2
name: web
version: v1.2.3
appVersion: 1.10
description: A web
home: https://web.example
sources: [https://code.example/web]
maintainers:
  - { name: Ann, email: ann@web.example }
annotations: { licence: Apache-2.0 }
`

describe('readChartMetadata', () => {
  it('reads Chart.yaml of the top folder, not those of subcharts', () => {
    const tgz = layerOf({
      'web/charts/db/Chart.yaml': 'name: db\nversion: 9.9.9\n',
      'web/templates/a.yaml': 'a: {{ . }}',
      'web/Chart.yaml': CHART,
      'web/values.yaml': 'image: nginx',
    })
    expect(readChartMetadata(tgz)).toMatchObject({
      name: 'web',
      version: 'v1.2.3',
      // As Helm reads it: YAML says that this is a number.
      appVersion: '1.1',
      description: 'A web',
      home: 'https://web.example',
      sources: ['https://code.example/web'],
      maintainers: [{ name: 'Ann', email: 'ann@web.example' }],
      annotations: { licence: 'Apache-2.0' },
    })
  })

  it.each([
    ['text', new TextEncoder().encode('<html>log in</html>'), 'it is not a gzip archive'],
    ['nothing', new Uint8Array(), 'it is not a gzip archive'],
    ['half a gzip', layerOf({ 'web/Chart.yaml': CHART }).subarray(0, 60), 'its gzip is damaged'],
    ['a gzip of something else', new Uint8Array(gzipSync('x'.repeat(4096))), 'the tar inside is damaged'],
    ['no Chart.yaml', layerOf({ 'web/values.yaml': 'a: 1' }), 'there is no Chart.yaml in its top folder'],
    ['a Chart.yaml at the top', layerOf({ 'Chart.yaml': CHART }), 'there is no Chart.yaml in its top folder'],
    [
      'a Chart.yaml that is no YAML',
      layerOf({ 'web/Chart.yaml': 'a: [' }),
      'its Chart.yaml is not valid YAML',
    ],
    ['a Chart.yaml that is a list', layerOf({ 'web/Chart.yaml': '- a' }), 'its Chart.yaml is not a mapping'],
    ['no name', layerOf({ 'web/Chart.yaml': 'version: 1.0.0' }), 'its Chart.yaml has no proper name'],
    ['no version', layerOf({ 'web/Chart.yaml': 'name: web' }), 'its Chart.yaml has no proper version'],
    [
      'a name that is a path',
      layerOf({ 'web/Chart.yaml': 'name: ../../etc\nversion: 1.0.0' }),
      'its Chart.yaml has no proper name',
    ],
    [
      'a path that points outside',
      layerOf({ 'web/Chart.yaml': CHART, 'web/../../etc/cron.d/x': 'x' }),
      '"web/../../etc/cron.d/x" points outside of it',
    ],
    ['a link', withLink('web/values.yaml', '/etc/passwd'), '"web/values.yaml" is a link'],
    [
      'a huge Chart.yaml',
      layerOf({ 'web/Chart.yaml': `#${'x'.repeat(2 ** 20)}` }),
      'its Chart.yaml has 1048577 bytes',
    ],
    [
      'an archive bomb',
      new Uint8Array(gzipSync(Buffer.alloc(257 * 2 ** 20), { level: 1 })),
      'it unpacks to more than',
    ],
    ['a YAML bomb', layerOf({ 'web/Chart.yaml': yamlBomb() }), 'Excessive alias count'],
  ])('refuses %s', (_, tgz, words) => {
    expect(() => readChartMetadata(tgz, 'chart web 1.2.3')).toThrow(
      expect.objectContaining({
        kind: 'integrity',
        where: 'chart web 1.2.3',
        message: expect.stringContaining(words),
      }),
    )
  })
})

function withLink(path: string, linkpath: string): Uint8Array {
  const block = Buffer.alloc(512)
  new Header({ path, linkpath, size: 0, mode: 0o777, type: 'SymbolicLink', mtime: new Date(0) }).encode(
    block,
    0,
  )
  return new Uint8Array(gzipSync(Buffer.concat([block, Buffer.alloc(1024)])))
}

function yamlBomb(): string {
  const line = (at: number) =>
    `a${at}: &a${at} [${Array.from({ length: 9 }, () => `*a${at - 1}`).join(', ')}]`
  return [
    'name: web',
    'version: 1.0.0',
    'a0: &a0 [x]',
    ...Array.from({ length: 9 }, (_, at) => line(at + 1)),
  ].join('\n')
}
