import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { helmBinary } from '../support/helm.ts'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { runShell } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

/** Keys that are ordinary to a chart, and special to JavaScript or YAML. */
const KEYS = [
  'constructor',
  'prototype',
  '__proto__',
  'hasOwnProperty',
  'toString',
  'length',
  '1',
  'a.b',
  '*x',
  '',
]

let folder: string
let helm: string
let images: EmbeddedSource
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'odd-keys-'))
  helm = await helmBinary(3)
  images = await startSource({
    images: {
      'team/one:1': buildImage([layerOf({ one: noise(3000, 1) })]),
      'team/two:1': buildImage([layerOf({ two: noise(3000, 2) })]),
    },
  })
})
afterAll(async () => {
  await images.stop()
  rmSync(folder, { recursive: true })
})

it.each(KEYS)(
  'an image below the key %j is carried, bound by the override, and the bundle can be read',
  async (key) => {
    const pod = (name: string, at: string): string =>
      `---\napiVersion: v1\nkind: Pod\nmetadata: { name: ${name} }\nspec: { containers: [{ name: c, image: {{ printf "%s:%s" ${at}.image.repository ${at}.image.tag | quote }} }] }\n`
    const values = (of: string, name: string): string =>
      `${JSON.stringify(of)}:\n  image: { repository: ${images.host}/team/${name}, tag: "1" }\n`
    const metadata = { apiVersion: 'v2', name: 'web', version: '1.2.3' }
    const tgz = layerOf({
      'web/Chart.yaml': JSON.stringify(metadata),
      'web/values.yaml': `${values(key, 'one')}${values('fine', 'two')}`,
      'web/templates/t.yaml':
        pod('odd', `(index .Values ${JSON.stringify(key)})`) + pod('fine', '.Values.fine'),
    })
    const charts = await startSource({
      images: {},
      charts: [{ name: 'web', version: '1.2.3', metadata, tgz }],
    })
    const at = (name: string): string => join(folder, name)
    try {
      writeFileSync(at('web.tgz'), tgz)
      writeFileSync(
        at('s.yaml'),
        `apiVersion: ma-bundle/v1\nkind: BundleSpec\nname: odd\nversion: "1"\ngroups:\n  - name: a\n    images: ["${images.host}/team/one:1", "${images.host}/team/two:1"]\n    charts: [{ name: web, version: 1.2.3, repository: 'http://${charts.host}/charts' }]\n`,
      )
      const exported = await runShell(['export', at('o.tar'), '--spec', at('s.yaml'), '--helm', helm])
      expect(exported.code, exported.stderr).toBe(0)
      const verified = await runShell(['verify', at('o.tar')])
      expect(verified.code, verified.stderr).toBe(0)
      const chosen = await runShell(['values', at('o.tar'), '--registry', 'r.example', '--chart', 'web'])
      expect(chosen.code, chosen.stderr).toBe(0)
      writeFileSync(at('override.yaml'), chosen.stdout)
      const rendered = execFileSync(helm, ['template', at('web.tgz'), '-f', at('override.yaml')]).toString()
      const lines = rendered.split('\n').filter((line) => line.includes('image:'))
      expect(lines).toHaveLength(2)
      for (const line of lines) expect(line).toContain('r.example/mirrored/')
      expect(Object.hasOwn(Object.prototype, 'image')).toBe(false)
    } finally {
      await charts.stop()
    }
  },
)
