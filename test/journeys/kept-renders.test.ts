import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { chartYaml, deployment, packChart } from '../support/charts/pack.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { helmBinary } from '../support/helm.ts'
import { buildImage, layerOf, noise, pushImage } from '../support/images.ts'
import { runShell, type Outcome } from '../support/shell.ts'

let folder: string
let home: string
let registry: DockerRegistry
const at = (name: string): string => join(folder, name)
const entries = (): string[] => {
  const cache = join(home, '.cache', 'ma-bundle', 'charts')
  return existsSync(cache) ? readdirSync(cache).map((name) => join(cache, name)) : []
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kept-renders-'))
  registry = await startDockerRegistry()
  for (const name of ['server', 'worker', 'extra'])
    await pushImage(
      `http://${registry.host}`,
      `shop/${name}`,
      '1',
      buildImage([layerOf({ name: noise(300, name.length) })]),
    )
  writeFileSync(
    at('shop.tgz'),
    packChart('shop', {
      'Chart.yaml': chartYaml('shop'),
      'values.yaml': `server: ${registry.host}/shop/server:1\nworker: ${registry.host}/shop/worker:1\n`,
      'templates/all.yaml': `${deployment('server', '{{ .Values.server }}')}---\n${deployment('worker', '{{ .Values.worker }}')}`,
    }),
  )
  // Every start of helm that renders leaves a line.
  writeFileSync(
    at('helm'),
    `#!/bin/sh\n[ "$1" = template ] && echo >> '${at('renders')}'\nexec '${await helmBinary(4)}' "$@"\n`,
  )
  chmodSync(at('helm'), 0o755)
})
afterAll(async () => {
  await registry.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  home = mkdtempSync(join(folder, 'home-'))
})

async function exported(
  images: readonly string[],
  ...flags: readonly string[]
): Promise<Omit<Outcome, 'json'> & { readonly renders: number; readonly digest: string }> {
  writeFileSync(
    at('spec.yaml'),
    `charts: ["shop|1.0.0|./shop.tgz"]\nimages: [${images.map((name) => `"${registry.host}/shop/${name}:1"`).join(', ')}]\n`,
  )
  rmSync(at('renders'), { force: true })
  rmSync(at('shop.tar'), { force: true })
  const outcome = await runShell(
    ['export', at('shop.tar'), '--spec', at('spec.yaml'), '--helm', at('helm'), ...flags],
    { env: { HOME: home } },
  )
  const renders = existsSync(at('renders')) ? readFileSync(at('renders'), 'utf8').length : 0
  const { code, stdout, stderr } = outcome
  return {
    code,
    stdout,
    stderr,
    renders,
    digest: existsSync(at('shop.tar')) ? digestOf(readFileSync(at('shop.tar'))) : '',
  }
}

const both = ['server', 'worker'] as const

describe('what helm showed of a chart', () => {
  it('is kept: the second export starts helm for no render, and makes the same bytes', async () => {
    const first = await exported(both)
    expect(first.code, first.stderr).toBe(0)
    expect(first.renders).toBeGreaterThan(0)
    const second = await exported(both)
    expect(second.renders).toBe(0)
    expect(second.digest).toBe(first.digest)
    expect(second.stdout).toContain('2 references of 1 chart bound, none still public')
  })

  it('is proven anew, but not searched anew, when the list has another image of the chart', async () => {
    const refused = await exported(['server'])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('shop/worker:1')
    const mended = await exported(both)
    expect(mended.code, mended.stderr).toBe(0)
    expect(mended.renders).toBeLessThan(refused.renders)
    expect(mended.renders).toBeLessThanOrEqual(2)
    // An image that the chart does not come upon makes no difference.
    const more = await exported([...both, 'extra'])
    expect(more.renders).toBe(0)
  })

  it('is rendered anew with other values, another cluster, or without a cache', async () => {
    const first = await exported(both)
    writeFileSync(at('values.yaml'), 'replicas: 3\n')
    expect((await exported(both, '--values', `shop=${at('values.yaml')}`)).renders).toBeGreaterThan(0)
    expect((await exported(both, '--kube-version', '1.33.0')).renders).toBeGreaterThan(0)
    const without = await exported(both, '--no-cache')
    expect(without.renders).toBeGreaterThan(0)
    expect(without.digest).toBe(first.digest)
    expect((await exported(both)).renders).toBe(0)
  })

  it('is rendered anew when the entry is rotten or planted, with the same result', async () => {
    const first = await exported(both)
    const [entry = ''] = entries()
    const raw = readFileSync(entry)
    writeFileSync(entry, raw.toString('latin1').replaceAll('shop/server', 'evil/server'), 'latin1')
    const rotten = await exported(both)
    expect(rotten.renders).toBeGreaterThan(0)
    expect(rotten.digest).toBe(first.digest)
    expect((await exported(both)).renders).toBe(0)
    // As one would find it after a cache of somebody else was copied here.
    rmSync(join(home, '.local', 'state', 'ma-bundle', 'cache.key'))
    const planted = await exported(both)
    expect(planted.renders).toBeGreaterThan(0)
    expect(planted.digest).toBe(first.digest)
  })

  it('is no error where it cannot be kept', async () => {
    mkdirSync(join(home, '.cache'))
    writeFileSync(join(home, '.cache', 'ma-bundle'), 'in the way')
    const first = await exported(both)
    expect(first.code, first.stderr).toBe(0)
    const second = await exported(both)
    expect(second.code).toBe(0)
    expect(second.renders).toBe(first.renders)
    expect(entries()).toEqual([])
  })
})
