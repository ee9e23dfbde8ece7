import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { chartYaml, deployment, packChart } from '../support/charts/pack.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { helmBinary } from '../support/helm.ts'
import { buildImage, layerOf, noise, pushImage } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'

let folder: string
let helm: string
let registry: DockerRegistry
const at = (name: string): string => join(folder, name)
const image = (name: string): string => `${registry.host}/trade/${name}`

const definition = (): string => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: shops.trade.example}
spec:
  group: trade.example
  names:
    kind: Shop
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        properties:
          spec:
            properties:
              version:
                type: string
              backup:
                properties:
                  image:
                    default: ${image('backup:7')}
                    type: string
`

const shop = (version: string, backup: string): string => `apiVersion: trade.example/v1
kind: Shop
metadata: {name: mine}
spec:
  version: "${version}"
  backup: {image: "${image(backup)}"}
`

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'operators-'))
  helm = await helmBinary(4)
  registry = await startDockerRegistry()
  for (const name of ['operator:1', 'shop:1.4', 'shop:2.0', 'backup:7', 'backup:8']) {
    const [repository = '', tag] = name.split(':')
    const built = buildImage([layerOf({ name: noise(200, name.length) })])
    await pushImage(`http://${registry.host}`, `trade/${repository}`, tag, built)
  }
  writeFileSync(
    at('operator.tgz'),
    packChart('operator', {
      'Chart.yaml': chartYaml('operator'),
      'values.yaml': `image: ${image('operator:1')}\nrepository: ${image('shop')}\n`,
      'crds/shop.yaml': definition(),
      'templates/operator.yaml': deployment(
        'operator',
        '{{ .Values.image }}',
        '          env:\n            - name: SHOP_IMAGES\n              value: |\n                1.4={{ .Values.repository }}:1.4\n                2.0={{ .Values.repository }}:2.0\n',
      ),
    }),
  )
})
afterAll(async () => {
  await registry.stop()
  rmSync(folder, { recursive: true })
})

async function run(
  command: string,
  images: readonly string[],
  ...flags: readonly string[]
): Promise<Outcome> {
  writeFileSync(
    at('spec.yaml'),
    `charts: ["operator|1.0.0|./operator.tgz"]\nimages: [${images.map((name) => `"${image(name)}"`).join(', ')}]\n`,
  )
  const target = command === 'export' ? [at('shop.tar')] : []
  rmSync(at('shop.tar'), { force: true })
  return runShell([command, ...target, '--spec', at('spec.yaml'), '--helm', helm, ...flags])
}

describe('a chart whose controller runs more than the chart', () => {
  it('says so, and takes nothing for needed that nobody asked for', async () => {
    const outcome = await run('export', ['operator:1'])
    expect(outcome.code, outcome.stderr).toBe(0)
    const proven = await runShell(['prove', at('shop.tar'), '--helm', helm])
    expect(proven.code, proven.stderr).toBe(0)
    for (const text of [
      'what a controller runs for objects of these kinds',
      'Shop .spec.backup.image',
      '--objects <file>',
      image('shop:1.4'),
      image('backup:7'),
    ])
      expect(proven.stdout).toContain(text)
  })

  it('takes what a package shows along when told to take all', async () => {
    const outcome = await run('export', ['operator:1'], '--add-missing=all')
    expect(outcome.code, outcome.stderr).toBe(0)
    const listed = await runShell(['inspect', at('shop.tar')])
    for (const name of ['shop:1.4', 'shop:2.0', 'backup:7']) expect(listed.stdout).toContain(image(name))
  })

  it('needs what the objects of the user ask for, by name or by version, and nothing else', async () => {
    writeFileSync(at('mine.yaml'), shop('2.0', 'backup:8'))
    const refused = await run('export', ['operator:1'], '--objects', at('mine.yaml'))
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain(image('backup:8'))
    expect(refused.stderr).toContain('Shop/mine spec.backup.image (mine.yaml)')
    expect(refused.stderr).toContain(image('shop:2.0'))
    expect(refused.stderr).not.toContain(image('shop:1.4'))

    const added = await run('export', ['operator:1'], '--objects', at('mine.yaml'), '--add-missing')
    expect(added.code, added.stderr).toBe(0)
    const listed = await runShell(['inspect', at('shop.tar')])
    expect(listed.stdout).toContain(image('backup:8'))
    expect(listed.stdout).toContain(image('shop:2.0'))
    expect(listed.stdout).not.toContain(`image  ${image('shop:1.4')}`)
  })

  it('tells how such objects get to the private registry, and that works', async () => {
    writeFileSync(at('mine.yaml'), shop('1.4', 'backup:8'))
    await run('export', ['operator:1', 'shop:1.4', 'backup:8'], '--objects', at('mine.yaml'))
    const proven = await runShell(['prove', at('shop.tar'), '--helm', helm, '--objects', at('mine.yaml')])
    expect(proven.code, proven.stderr).toBe(0)
    expect(proven.stdout).toContain(
      'ma-bundle post-render <bundle> --registry <host> < mine.yaml | kubectl apply -f -',
    )
    const rewritten = await runShell(['post-render', at('shop.tar'), '--registry', 'ecr.example'], {
      stdin: readFileSync(at('mine.yaml'), 'utf8'),
    })
    const [object] = parseAllDocuments(rewritten.stdout).map((one) => one.toJS() as unknown)
    expect(object).toMatchObject({
      kind: 'Shop',
      spec: { version: '1.4', backup: { image: expect.stringMatching(/^ecr\.example\/.*trade\/backup:8$/) } },
    })
  })

  it('shows the same in a discovered spec, which exports as it is', async () => {
    writeFileSync(at('mine.yaml'), shop('2.0', 'backup:8'))
    const found = await runShell([
      'discover',
      at('operator.tgz'),
      '--helm',
      helm,
      '--objects',
      at('mine.yaml'),
    ])
    expect(found.code, found.stderr).toBe(0)
    expect(found.stdout).toContain('# In no render: what a controller runs for objects of these kinds')
    expect(found.stdout).toContain(`- ${image('backup:8')}`)
    expect(found.stdout).toContain(`#   - ${image('backup:7')}`)
  })

  it('answers for objects of kinds that no chart defines, and says that it knows less of them', async () => {
    writeFileSync(
      at('other.yaml'),
      `kind: Market\nmetadata: {name: open}\nspec: {image: "${image('backup:8')}"}\n`,
    )
    const outcome = await run('export', ['operator:1'], '--objects', at('other.yaml'))
    expect(outcome.code).toBe(1)
    expect(outcome.stderr).toContain('no chart defines Market')
    expect(outcome.stderr).toContain('Market/open spec.image (other.yaml)')
  })

  it('refuses to leave the objects out silently: without helm, or with a lock that was made without them', async () => {
    writeFileSync(at('mine.yaml'), shop('2.0', 'backup:8'))
    const flags = ['--objects', at('mine.yaml')]
    const unrendered = await run('export', ['operator:1'], '--no-prove', ...flags)
    expect(unrendered.code).toBe(2)
    expect(unrendered.stderr).toContain('your objects cannot be judged')
    expect(unrendered.stderr).toContain('leave --objects out')
    expect((await run('export', ['operator:1'])).code).toBe(0)
    const locked = await runShell([
      'export',
      at('again.tar'),
      '--lock',
      at('shop.tar.lock.json'),
      '--spec',
      at('spec.yaml'),
      '--helm',
      helm,
      ...flags,
    ])
    expect(locked.code).not.toBe(0)
    expect(locked.stderr).toContain(image('backup:8'))
  })

  it.each([
    ['it is not there', undefined, 'no such file'],
    ['it is no YAML', 'kind: [', 'cannot read the objects'],
    ['it holds no object', 'image: x\n', 'there is no object with a kind in it'],
  ])('is a usage error when of the file of objects %s', async (_, content, words) => {
    rmSync(at('bad.yaml'), { force: true })
    if (content !== undefined) writeFileSync(at('bad.yaml'), content)
    const outcome = await run('export', ['operator:1'], '--objects', at('bad.yaml'))
    expect(outcome.code).toBe(2)
    expect(outcome.stderr).toContain(words)
    expect(outcome.stderr).toContain('bad.yaml')
  })
})
