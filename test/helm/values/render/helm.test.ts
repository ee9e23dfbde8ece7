import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHelm, type Rendered } from '../../../../src/helm/values/render/helm.ts'
import { referencesOf } from '../../../../src/helm/values/render/rendered.ts'
import { chartYaml, deployment, packChart } from '../../../support/charts/pack.ts'
import { helmBinary } from '../../../support/helm.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ma-bundle-render-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const definition = (kind: string, more = ''): string =>
  `${more}apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${kind.toLowerCase()}s.example}
spec:
  names:
    kind: ${kind}
  versions:
    - schema:
        openAPIV3Schema:
          properties:
            kind:
              type: string
`

const textsOf = (rendered: Rendered): string[] =>
  rendered.ok ? referencesOf(rendered.documents).map(({ text }) => text) : [rendered.message]

describe.each([3, 4] as const)('helm %d', (major) => {
  it('leaves out what only defines custom resources, whatever stands inside, and nothing else', async () => {
    const chart = packChart('defined', {
      'Chart.yaml': chartYaml('defined'),
      'values.yaml': 'image: quay.io/team/app:1\n',
      '.helmignore': 'templates/app.yaml\n',
      'templates/crds/one.yaml': definition('One'),
      'templates/crds/two.yaml': `${definition('Two')}---\n${deployment('beside', 'quay.io/team/beside:1')}`,
      'templates/app.yaml': deployment('app', '{{ .Values.image }}').replace(
        'metadata:',
        'metadata:\n  annotations: {sum: {{ include (print $.Template.BasePath "/crds/one.yaml") . | sha256sum }}}\n ',
      ),
    })
    // What helm is given to read is what its output is made of.
    const seen = join(folder, `seen-${major}`)
    const spy = join(folder, `spy-${major}`)
    await writeFile(spy, `#!/bin/sh\n'${await helmBinary(major)}' "$@" | tee -a '${seen}'\n`)
    await chmod(spy, 0o755)
    const renderer = await (await createHelm(spy)).open(chart)
    try {
      for (const relaxed of [false, true]) {
        const texts = textsOf(await renderer.template({ relaxed }))
        expect(texts.toSorted()).toEqual(['quay.io/team/app:1', 'quay.io/team/beside:1'])
      }
    } finally {
      await renderer.close()
    }
    const output = await readFile(seen, 'utf8')
    expect(output).not.toContain('ones.example')
    expect(output).toContain('twos.example')
  })

  it('keeps the checks that stand in such a template', async () => {
    const chart = packChart('checked', {
      'Chart.yaml': chartYaml('checked'),
      'values.yaml': 'ready: false\n',
      'templates/crd.yaml': definition('One', '{{ if not .Values.ready }}{{ fail "not ready" }}{{ end }}\n'),
      'templates/app.yaml': deployment('app', 'quay.io/team/app:1'),
    })
    const renderer = await (await createHelm(await helmBinary(major))).open(chart)
    try {
      expect(textsOf(await renderer.template({}))).toEqual([expect.stringContaining('not ready')])
      expect(textsOf(await renderer.template({ values: [{ ready: true }] }))).toEqual(['quay.io/team/app:1'])
    } finally {
      await renderer.close()
    }
  })
})

describe('what was rendered', () => {
  it('is read again when many renders came between', async () => {
    const chart = packChart('many', {
      'Chart.yaml': chartYaml('many'),
      'values.yaml': 'tag: "0"\n',
      'templates/app.yaml': deployment('app', 'quay.io/team/app:{{ .Values.tag }}'),
    })
    const renderer = await (await createHelm(await helmBinary(4))).open(chart)
    try {
      const layers = Array.from({ length: 9 }, (_, at) => ({ values: [{ tag: `v${at}` }] }))
      const all = await Promise.all(layers.map((layer) => renderer.template(layer)))
      expect(all.flatMap(textsOf)).toEqual(layers.map((_, at) => `quay.io/team/app:v${at}`))
      expect(all.flatMap(textsOf)).toEqual(layers.map((_, at) => `quay.io/team/app:v${at}`))
      await Promise.all(layers.map((layer) => renderer.template(layer)))
      expect(renderer.renders).toBe(9)
    } finally {
      await renderer.close()
    }
  })
})
