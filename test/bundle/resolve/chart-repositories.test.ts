import { mkdtemp, readFile, rm, writeFile, mkdir } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HELM_CHART, HELM_CONFIG, OCI_MANIFEST } from '../../../src/oci/media-types.ts'
import { helmBinary } from '../../support/helm.ts'
import { layerOf } from '../../support/images.ts'
import { runProgram } from '../../support/program.ts'
import { startDouble } from '../../support/registry/double.ts'
import { runShell } from '../../support/shell.ts'
import { startSource, type EmbeddedSource } from '../../support/source.ts'

const metadata = { apiVersion: 'v2', name: 'app', version: '1.0.0' }
const tgz = layerOf({ 'app/Chart.yaml': JSON.stringify(metadata) })
const charts = [{ name: 'app', version: '1.0.0', metadata, tgz }]
const TOKEN = 'tok-a1b2c3d4e5'
const BASIC = `Basic ${Buffer.from('me:pass-f6g7h8').toString('base64')}`

let folder: string
let source: EmbeddedSource | undefined
const at = (name: string): string => join(folder, name)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chart-repositories-'))
})
afterEach(async () => {
  await source?.stop()
  source = undefined
  await rm(folder, { recursive: true })
})

async function serve(mayPass: (request: IncomingMessage) => boolean): Promise<string> {
  source = await startSource({
    images: {},
    charts,
    intercept: (request, response) => {
      if (mayPass(request)) return false
      response.writeHead(401, { 'www-authenticate': 'Basic realm="charts"' }).end()
      return true
    },
  })
  return `http://${source.host}/charts`
}

const env = () => ({ HOME: folder, HELM_CONFIG_HOME: at('helm') })

async function exported(repository: string, stdin = '', ...args: readonly string[]) {
  await writeFile(at('spec.yaml'), `charts: ["app|1.0.0|${repository}"]\n`)
  return runShell(['export', at('b.tar'), '--spec', at('spec.yaml'), '--no-prove', ...args], {
    env: env(),
    stdin,
  })
}

/** As helm itself keeps it. */
async function addRepository(...args: readonly string[]): Promise<void> {
  await mkdir(at('helm'), { recursive: true })
  const all = { PATH: process.env['PATH'] ?? '', ...env(), HELM_CACHE_HOME: at('cache') }
  await runProgram(await helmBinary(3), ['repo', 'add', ...args], { env: all })
}

describe('a chart repository that wants a token in the query', () => {
  const wantsToken = ({ url = '' }: IncomingMessage): boolean => url.includes(`token=${TOKEN}`)

  it('is refused in the list, and reached by what the message says', async () => {
    const address = await serve(wantsToken)
    const refused = await exported(`${address}?token=${TOKEN}`)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toContain('helm repo add <name> <address>')
    await addRepository('private', `${address}?token=${TOKEN}`)
    const taken = await exported(address)
    expect(taken.code, taken.stderr).toBe(0)
    const everything = `${taken.stdout}${taken.stderr}${(await readFile(at('b.tar'))).toString('latin1')}${await readFile(at('b.tar.lock.json'), 'utf8')}`
    expect(everything).not.toContain(TOKEN)
    expect(everything).toContain(address)
  })

  it('is known by the name that helm gave it', async () => {
    const address = await serve(wantsToken)
    await addRepository('private', `${address}?token=${TOKEN}`)
    for (const name of ['@private', 'alias:private']) {
      const taken = await exported(name)
      expect(taken.code, taken.stderr).toBe(0)
      expect(await readFile(at('b.tar.lock.json'), 'utf8')).toContain(`"repository": "${address}"`)
      await rm(at('b.tar'))
    }
  })

  it('says what to do about a name that helm does not know', async () => {
    const unknown = await exported('@private')
    expect(unknown.code).toBe(2)
    expect(unknown.stderr).toContain('helm knows no chart repository "private"')
    const address = await serve(wantsToken)
    await addRepository('private', `${address}?token=${TOKEN}`)
    expect((await exported('@private')).code).toBe(0)
  })
})

describe('a chart repository that wants a login', () => {
  const wantsLogin = ({ headers }: IncomingMessage): boolean => headers.authorization === BASIC

  it('gets the one that helm keeps for it', async () => {
    const address = await serve(wantsLogin)
    expect((await exported(address)).code).toBe(3)
    await addRepository('private', address, '--username', 'me', '--password', 'pass-f6g7h8')
    const taken = await exported(`${address}/`)
    expect(taken.code, taken.stderr).toBe(0)
    expect(`${taken.stdout}${taken.stderr}`).not.toContain('pass-f6g7h8')
  })

  it('gets the one of the command line first', async () => {
    const address = await serve(wantsLogin)
    await mkdir(at('helm'))
    await writeFile(
      at('helm/repositories.yaml'),
      `repositories: [{ name: old, url: "${address}", username: me, password: changed-long-ago }]\n`,
    )
    expect((await exported(address)).code).toBe(3)
    const host = new URL(address).host
    const args = ['--username', `${host}=me`, '--password-stdin']
    const taken = await exported(address, 'pass-f6g7h8', ...args)
    expect(taken.code, taken.stderr).toBe(0)
  })

  it('warns about a file of helm that cannot be read', async () => {
    const address = await serve(() => true)
    await mkdir(at('helm/repositories.yaml'), { recursive: true })
    const taken = await exported(address)
    expect(taken.code, taken.stderr).toBe(0)
    expect(taken.stderr).toContain('cannot read the chart repositories in ~/helm/repositories.yaml')
  })
})

describe('an address in a registry', () => {
  it.each(['charts', 'charts/app', 'charts/app/'])('is found as oci://…/%s', async (path) => {
    const registry = await startDouble()
    const config = registry.addBlob('charts/app', Buffer.from(JSON.stringify(metadata)), HELM_CONFIG)
    const layers = [registry.addBlob('charts/app', tgz, HELM_CHART)]
    const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }
    registry.addManifest('charts/app', manifest, '1.0.0')
    const taken = await exported(`oci://${registry.host}/${path}`)
    await registry.stop()
    expect(taken.code, taken.stderr).toBe(0)
  })

  it('that names the chart twice for good reason is taken as it is', async () => {
    const registry = await startDouble()
    for (const repository of ['app/app', 'app']) {
      const config = registry.addBlob(repository, Buffer.from(JSON.stringify(metadata)), HELM_CONFIG)
      const layers = [registry.addBlob(repository, tgz, HELM_CHART)]
      const annotations = { repository }
      const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers, annotations }
      registry.addManifest(repository, manifest, '1.0.0')
    }
    const taken = await exported(`oci://${registry.host}/app`)
    const requests = registry.take()
    await registry.stop()
    expect(taken.code, taken.stderr).toBe(0)
    expect(requests).toContain('GET /v2/app/app/manifests/1.0.0')
    expect(requests).not.toContain('GET /v2/app/manifests/1.0.0')
  })
})
