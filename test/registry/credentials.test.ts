import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Env } from '../../src/lib/http/proxy.ts'
import type { Credential } from '../../src/registry/auth/credential.ts'
import { chain, dockerCredentials } from '../../src/registry/auth/credentials.ts'

let home = ''
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'ma-bundle-home-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

const pair = (username: string, password: string): string =>
  Buffer.from(`${username}:${password}`).toString('base64')
const login = (username: string): Credential => ({ username, password: 'pw' })
const auth = (username: string) => ({ auth: pair(username, 'pw') })

async function write(path: string, value: unknown): Promise<string> {
  const file = join(home, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, typeof value === 'string' ? value : JSON.stringify(value))
  return file
}

/** A real program, as docker would start it. */
async function helper(name: string, script: string): Promise<void> {
  const file = await write(`bin/docker-credential-${name}`, `#!/bin/sh\n${script}\n`)
  await chmod(file, 0o755)
}

const env = (more: Env = {}): Env => ({ HOME: home, PATH: `${join(home, 'bin')}:/usr/bin:/bin`, ...more })

describe('files', () => {
  test.each([
    ['.docker/config.json', {}],
    ['elsewhere/config.json', { DOCKER_CONFIG: 'elsewhere' }],
    ['run/containers/auth.json', { XDG_RUNTIME_DIR: 'run' }],
    ['.config/containers/auth.json', {}],
    ['xdg/containers/auth.json', { XDG_CONFIG_HOME: 'xdg' }],
    ['.config/helm/registry/config.json', {}],
    ['helm.json', { HELM_REGISTRY_CONFIG: 'helm.json' }],
    ['mine.json', { REGISTRY_AUTH_FILE: 'mine.json' }],
  ])('%s is read', async (path, variables) => {
    await write(path, { auths: { 'quay.io': auth('me') } })
    const inside = Object.fromEntries(
      Object.entries(variables).map(([name, value]) => [name, join(home, value)]),
    )
    const credentials = dockerCredentials(env(inside))
    expect(await credentials('quay.io')).toEqual(login('me'))
    expect(await credentials('ghcr.io')).toBeUndefined()
  })

  test('are asked in order, the one named on purpose first', async () => {
    await write('.docker/config.json', { auths: { 'quay.io': auth('docker'), 'ghcr.io': auth('docker') } })
    const file = await write('mine.json', { auths: { 'quay.io': auth('mine') } })
    const credentials = dockerCredentials(env({ REGISTRY_AUTH_FILE: file }))
    expect(await credentials('quay.io')).toEqual(login('mine'))
    expect(await credentials('ghcr.io')).toEqual(login('docker'))
  })

  test.each(['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io'])(
    'know Docker Hub as %s',
    async (key) => {
      await write('.docker/config.json', { auths: { [key]: auth('hub') } })
      expect(await dockerCredentials(env())('docker.io')).toEqual(login('hub'))
    },
  )

  test('do not give the password of Docker Hub to its mirror', async () => {
    await write('.docker/config.json', { auths: { 'https://index.docker.io/v1/': auth('hub') } })
    expect(await dockerCredentials(env())('mirror.gcr.io')).toBeUndefined()
  })

  test.each([
    'https://reg.example:5000',
    'http://reg.example:5000/v2/',
    'reg.example:5000',
    'https://reg.example:5000/v1/',
  ])('know a registry as %s', async (key) => {
    await write('.docker/config.json', { auths: { [key]: auth('me') } })
    const credentials = dockerCredentials(env())
    expect(await credentials('reg.example:5000')).toEqual(login('me'))
    expect(await credentials('reg.example')).toBeUndefined()
  })

  test('choose the most specific path', async () => {
    const auths = { 'quay.io': auth('all'), 'quay.io/team': auth('team'), 'quay.io/team/app': auth('app') }
    await write('.config/containers/auth.json', { auths })
    const credentials = dockerCredentials(env())
    expect(await credentials('quay.io', { repository: 'team/app' })).toEqual(login('app'))
    expect(await credentials('quay.io', { repository: 'team/other' })).toEqual(login('team'))
    expect(await credentials('quay.io', { repository: 'teams/app' })).toEqual(login('all'))
    expect(await credentials('quay.io')).toEqual(login('all'))
  })

  test('hold identity tokens, registry tokens, and users in the clear', async () => {
    const auths = {
      'a.example': { ...auth('x'), identitytoken: 'refresh' },
      'b.example': { registrytoken: 'token' },
      'c.example': { username: 'u', password: 'p' },
      'd.example': {},
      'e.example': { auth: 'bm8gY29sb24=' },
      'f.example': { auth: pair('u', 'with:colon') },
    }
    await write('.docker/config.json', { auths })
    const credentials = dockerCredentials(env())
    expect(await credentials('a.example')).toEqual({ identityToken: 'refresh' })
    expect(await credentials('b.example')).toEqual({ authorization: 'Bearer token' })
    expect(await credentials('c.example')).toEqual({ username: 'u', password: 'p' })
    expect(await credentials('d.example')).toBeUndefined()
    expect(await credentials('e.example')).toBeUndefined()
    expect(await credentials('f.example')).toEqual({ username: 'u', password: 'with:colon' })
  })

  test('that are broken are told about once and left out', async () => {
    await write('.docker/config.json', '{"auths": ')
    await write('.config/containers/auth.json', { auths: { 'quay.io': auth('me') } })
    const warnings: string[] = []
    const credentials = dockerCredentials(env(), { warn: (message) => void warnings.push(message) })
    expect(await credentials('quay.io')).toEqual(login('me'))
    expect(await credentials('quay.io', { refresh: true })).toEqual(login('me'))
    expect(warnings).toEqual([expect.stringContaining('not JSON')])
  })

  test('are read again on refresh', async () => {
    await write('.docker/config.json', { auths: { 'quay.io': auth('old') } })
    const credentials = dockerCredentials(env())
    expect(await credentials('quay.io')).toEqual(login('old'))
    await write('.docker/config.json', { auths: { 'quay.io': auth('new') } })
    expect(await credentials('quay.io')).toEqual(login('old'))
    expect(await credentials('quay.io', { refresh: true })).toEqual(login('new'))
  })
})

describe('helpers', () => {
  const ANSWER = [
    'read server',
    'echo "$server" >> "$HOME/asked"',
    `printf '{"ServerURL":"%s","Username":"helped","Secret":"pw"}' "$server"`,
  ].join('\n')

  test('are asked for the hosts they are for', async () => {
    await helper('own', ANSWER)
    await write('.docker/config.json', {
      auths: { 'quay.io': auth('file') },
      credHelpers: { 'ecr.example': 'own' },
    })
    const credentials = dockerCredentials(env())
    expect(await credentials('ecr.example', { repository: 'a/b' })).toEqual(login('helped'))
    expect(await credentials('ecr.example', { repository: 'c/d' })).toEqual(login('helped'))
    expect(await credentials('quay.io')).toEqual(login('file'))
    expect((await readFile(join(home, 'asked'), 'utf8')).trim()).toBe('ecr.example')
  })

  test('know Docker Hub by its old name', async () => {
    await helper('store', ANSWER)
    await write('.docker/config.json', { credsStore: 'store' })
    expect(await dockerCredentials(env())('docker.io')).toEqual(login('helped'))
    expect((await readFile(join(home, 'asked'), 'utf8')).trim()).toBe('https://index.docker.io/v1/')
  })

  test('are asked again on refresh', async () => {
    await helper('own', ANSWER)
    await write('.docker/config.json', { credHelpers: { 'ecr.example': 'own' } })
    const credentials = dockerCredentials(env())
    await credentials('ecr.example')
    await credentials('ecr.example', { refresh: true })
    expect((await readFile(join(home, 'asked'), 'utf8')).trim().split('\n')).toHaveLength(2)
  })

  test('hand out identity tokens', async () => {
    await helper('own', `printf '{"Username":"<token>","Secret":"refresh"}'`)
    await write('.docker/config.json', { credsStore: 'own' })
    expect(await dockerCredentials(env())('acr.example')).toEqual({ identityToken: 'refresh' })
  })

  test('that know nothing are no problem', async () => {
    await helper('own', 'echo "credentials not found in native keychain"; exit 1')
    await write('.docker/config.json', { credsStore: 'own' })
    const warnings: string[] = []
    const credentials = dockerCredentials(env(), { warn: (message) => void warnings.push(message) })
    expect(await credentials('quay.io')).toBeUndefined()
    expect(warnings).toEqual([])
  })

  test.each([
    ['are not installed', undefined, 'cannot be run'],
    ['fail', 'echo "keychain is locked" >&2; exit 1', 'failed: keychain is locked'],
    ['talk nonsense', 'echo hello', 'did not answer with credentials'],
  ])('that %s are told about; other sources are still asked', async (_, script, words) => {
    if (script !== undefined) await helper('own', script)
    await write('.docker/config.json', { credsStore: 'own' })
    await write('.config/containers/auth.json', { auths: { 'quay.io': auth('me') } })
    const warnings: string[] = []
    const credentials = dockerCredentials(env(), { warn: (message) => void warnings.push(message) })
    expect(await credentials('quay.io')).toEqual(login('me'))
    expect(warnings).toEqual([expect.stringContaining(`docker-credential-own ${words}`)])
  })
})

describe('chain', () => {
  test('the first that answers is taken', async () => {
    const credentials = chain(
      async () => undefined,
      async (registry) => (registry === 'a' ? login('one') : undefined),
      async () => login('two'),
    )
    expect(await credentials('a')).toEqual(login('one'))
    expect(await credentials('b')).toEqual(login('two'))
  })
})
