import { afterEach, describe, expect, test } from 'vitest'
import { parseChallenges } from '../../src/registry/auth/challenge.ts'
import type { Credential, CredentialQuery } from '../../src/registry/auth/credential.ts'
import { bytesOf } from '../../src/lib/bytes/bytes.ts'
import { openRepository } from '../../src/registry/repository.ts'
import { fetchToken } from '../../src/registry/auth/token.ts'
import { noise } from '../support/images.ts'
import type { Access } from '../support/registry/access.ts'
import { startDouble, type DoubleOptions, type RegistryDouble } from '../support/registry/double.ts'
import * as fault from '../support/registry/faults.ts'
import { digestAll, failureOf, harness } from '../support/registry/harness.ts'

const running: RegistryDouble[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((double) => double.stop()))
})

async function setUp(
  access: Access,
  credentials?: (registry: string, query?: CredentialQuery) => Promise<Credential | undefined>,
  options: DoubleOptions = {},
) {
  const double = await startDouble({ ...options, access })
  running.push(double)
  const blob = double.addBlob('team/app', noise(5000))
  const manifest = double.addManifest(
    'team/app',
    { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] },
    'v1',
  )
  const { client, events } = harness(credentials === undefined ? {} : { credentials })
  const repository = openRepository(client, double.host, 'team/app')
  /** `METHOD path` and whether it came with credentials, the requests for tokens as `token`. */
  const shape = () =>
    double.requests.map(({ method, path, headers }) =>
      path === '/token' ? 'token' : `${method} ${headers['authorization'] === undefined ? 'bare' : 'signed'}`,
    )
  return { double, blob, manifest, client, events, repository, shape }
}

const me = { username: 'me', password: 'secret' }

describe('parseChallenges', () => {
  test.each([
    [null, []],
    ['', []],
    ['Basic realm="x"', [{ scheme: 'basic', params: { realm: 'x' } }]],
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
      [
        {
          scheme: 'bearer',
          params: {
            realm: 'https://auth.docker.io/token',
            service: 'registry.docker.io',
            scope: 'repository:a/b:pull,push',
          },
        },
      ],
    ],
    [
      'Basic realm="a, b", Bearer Realm=https://x/token , service="s"',
      [
        { scheme: 'basic', params: { realm: 'a, b' } },
        { scheme: 'bearer', params: { realm: 'https://x/token', service: 's' } },
      ],
    ],
    ['Negotiate', [{ scheme: 'negotiate', params: {} }]],
    [
      'Negotiate YII=, Basic realm="q\\"uote"',
      [
        { scheme: 'negotiate', params: {} },
        { scheme: 'basic', params: { realm: 'q"uote' } },
      ],
    ],
    ['Bearer realm = "spaced" ; junk', [{ scheme: 'bearer', params: { realm: 'spaced' } }]],
  ])('reads %j', (header, expected) => {
    expect(parseChallenges(header)).toEqual(expected)
  })
})

describe('bearer tokens', () => {
  test('are had anonymously, once for all requests of a scope', async () => {
    const { double, blob, repository, shape } = await setUp({ kind: 'bearer', expiresIn: 300 })
    await repository.resolve('v1')
    await digestAll(await repository.fetch(blob))
    await repository.head('v1')
    expect(shape()).toEqual(['GET bare', 'token', 'GET signed', 'GET signed', 'HEAD signed'])
    const token = double.requests[1]
    expect(token?.query.getAll('scope')).toEqual(['repository:team/app:pull'])
    expect(token?.query.get('service')).toBe('double')
    expect(token?.headers['authorization']).toBeUndefined()
  })

  test('are fetched once by many requests at once', async () => {
    const { double, blob, repository } = await setUp({ kind: 'bearer', expiresIn: 300 })
    await repository.head('v1')
    await Promise.all(Array.from({ length: 12 }, async () => digestAll(await repository.fetch(blob))))
    expect(double.requests.filter(({ path }) => path === '/token')).toHaveLength(1)
  })

  test('are asked for right away for the next repository of a known registry', async () => {
    const { double, client, repository, shape } = await setUp({ kind: 'bearer', expiresIn: 300 })
    await repository.head('v1')
    double.addManifest(
      'team/other',
      Buffer.from('{"mediaType":"application/vnd.oci.image.index.v1+json"}'),
      'v1',
    )
    await openRepository(client, double.host, 'team/other').head('v1')
    expect(shape()).toEqual(['HEAD bare', 'token', 'HEAD signed', 'token', 'HEAD signed'])
  })

  test('are had with the credentials of the registry', async () => {
    const { double, repository } = await setUp({ kind: 'bearer', ...me }, async (registry) =>
      registry === double.host ? me : undefined,
    )
    expect(await repository.head('v1')).toBeDefined()
    const [first, token] = double.requests
    expect(first?.headers['authorization']).toBeUndefined()
    expect(token?.headers['authorization']).toBe(`Basic ${Buffer.from('me:secret').toString('base64')}`)
  })

  test('are had with an identity token by POST', async () => {
    const { double, repository } = await setUp({ kind: 'bearer', refreshToken: 'refresh-1' }, async () => ({
      identityToken: 'refresh-1',
    }))
    expect(await repository.head('v1')).toBeDefined()
    const token = double.requests.find(({ path }) => path === '/token')
    expect(token?.method).toBe('POST')
    const form = new URLSearchParams(token?.body.toString())
    expect(form.get('grant_type')).toBe('refresh_token')
    expect(form.get('scope')).toBe('repository:team/app:pull')
  })

  test('are renewed when they expire in the middle of a run', async () => {
    const { double, blob, repository, shape } = await setUp({ kind: 'bearer', expiresIn: 300 })
    await repository.head('v1')
    double.expireTokens()
    expect((await digestAll(await repository.fetch(blob))).digest).toBe(blob.digest)
    expect(shape()).toEqual(['HEAD bare', 'token', 'HEAD signed', 'GET signed', 'token', 'GET signed'])
  })

  test('are renewed before they expire', async () => {
    const { repository, shape } = await setUp({ kind: 'bearer', expiresIn: 0 })
    await repository.head('v1')
    await repository.head('v1')
    expect(shape()).toEqual(['HEAD bare', 'token', 'HEAD signed', 'token', 'HEAD signed'])
  })

  test('are renewed when the registry answers 400 to an expired one, as public.ecr.aws does', async () => {
    const { double, repository, shape } = await setUp({
      kind: 'bearer',
      expiresIn: 300,
      expiredAnswer: { status: 400, headers: {}, body: Buffer.from('Bad Request') },
    })
    await repository.head('v1')
    double.expireTokens()
    expect(await repository.head('v1')).toBeDefined()
    expect(shape()).toEqual(['HEAD bare', 'token', 'HEAD signed', 'HEAD signed', 'token', 'HEAD signed'])
  })

  test('are chosen when the registry offers Basic first in one header', async () => {
    const { repository, shape } = await setUp({
      kind: 'bearer',
      challenge: (realm, scope) =>
        `Basic realm="quay", Bearer realm="${realm}",service="double",scope="${scope}"`,
    })
    expect(await repository.head('v1')).toBeDefined()
    expect(shape()).toEqual(['HEAD bare', 'token', 'HEAD signed'])
  })

  test('to push with are good to pull with', async () => {
    const { double, manifest, repository } = await setUp({ kind: 'bearer', expiresIn: 300 })
    await repository.pushManifest(manifest, 'v2')
    await repository.head('v2')
    const tokens = double.requests.filter(({ path }) => path === '/token')
    expect(tokens.map(({ query }) => query.getAll('scope'))).toEqual([['repository:team/app:pull,push']])
  })

  test('that are refused end the request with the words of the login service', async () => {
    const { double, repository } = await setUp({ kind: 'bearer', ...me }, async () => ({
      username: 'me',
      password: 'x',
    }))
    const error = await failureOf(repository.resolve('v1'))
    expect(error).toMatchObject({ kind: 'auth', where: `${double.host}/team/app:v1` })
    expect(error.message).toContain('incorrect username or password')
    expect(error.next).toContain('check that the credentials')
    expect(double.requests).toHaveLength(2)
  })

  test('that are not given name the registry to log in to, not the host of its login service', async () => {
    const { double, repository } = await setUp({
      kind: 'bearer',
      ...me,
      challenge: (realm, scope) =>
        `Bearer realm="${realm.replace('127.0.0.1', 'localhost')}",service="double",scope="${scope}"`,
    })
    const error = await failureOf(repository.resolve('v1'))
    expect(error.message).toContain('localhost:')
    expect(error.next).toContain(`docker login ${double.host}`)
  })

  test('wait for a login service that is busy', async () => {
    const { double, repository, events } = await setUp({ kind: 'bearer' }, undefined, {
      faults: [{ on: /token/, times: 2, change: fault.tooMany() }],
    })
    expect(await repository.head('v1')).toBeDefined()
    expect(double.requests.filter(({ path }) => path === '/token')).toHaveLength(3)
    expect(events.filter(({ type }) => type === 'retry')).toHaveLength(2)
  })

  test('are taken from any answer that is a success, and missed with a hint at what answers', async () => {
    const answered = (status: number, text: string) => () =>
      Promise.resolve({
        status,
        url: 'https://login.example/token',
        headers: new Headers(),
        body: bytesOf(new TextEncoder().encode(text)),
        text: () => Promise.resolve(text),
        discard: () => Promise.resolve(),
      })
    const asker = { registry: 'x', origin: 'https://x', where: 'x/y:1' }
    const challenge = { scheme: 'bearer', params: { realm: 'https://login.example/token' } }
    const token = await fetchToken(answered(201, '{"token":"abc"}'), asker, challenge, [], undefined)
    expect(token.value).toBe('abc')
    const error = await failureOf(fetchToken(answered(200, '<html>'), asker, challenge, [], undefined))
    expect(error).toMatchObject({ kind: 'auth', next: expect.stringContaining('login.example') })
  })

  test.each([
    ['https://registry.example', 'http://login.example/token', 'is not https'],
    ['https://registry.example', 'https://169.254.169.254/token', 'is a private address'],
    ['https://registry.example', 'ftp://login.example/token', 'is not https'],
    ['http://registry.example', 'http://10.0.0.1/token', 'is a private address'],
  ])('are not asked for by %s at %s', async (origin, realm, why) => {
    const never = (): Promise<never> => Promise.reject(new Error('it was asked'))
    const challenge = { scheme: 'bearer', params: { realm } }
    const error = await failureOf(
      fetchToken(never, { registry: 'x', origin, where: 'x/y:1' }, challenge, [], me),
    )
    expect(error).toMatchObject({ kind: 'auth', where: 'x/y:1', message: expect.stringContaining(why) })
  })
})

describe('Basic', () => {
  test('answers the first challenge, and is sent at once from then on', async () => {
    const { repository, shape } = await setUp({ kind: 'basic', ...me }, async () => me)
    await repository.head('v1')
    await repository.head('v1')
    expect(shape()).toEqual(['HEAD bare', 'HEAD signed', 'HEAD signed'])
  })

  test('without credentials ends at once and says how to log in', async () => {
    const { double, repository } = await setUp({ kind: 'basic', ...me })
    const error = await failureOf(repository.resolve('v1'))
    expect(error).toMatchObject({ kind: 'auth', message: expect.stringContaining('Not Authorized') })
    expect(error.next).toContain(`docker login ${double.host}`)
    expect(double.requests).toHaveLength(1)
  })

  test('with wrong credentials asks for newer ones once', async () => {
    const asked: (boolean | undefined)[] = []
    const { double, repository } = await setUp({ kind: 'basic', ...me }, async (_, query) => {
      asked.push(query?.refresh)
      return { username: 'me', password: 'old' }
    })
    expect((await failureOf(repository.resolve('v1'))).kind).toBe('auth')
    expect(asked).toEqual([false, true])
    expect(double.requests).toHaveLength(2)
  })
})

describe('a whole Authorization, as ECR gives it', () => {
  const token = (password: string) => ({
    authorization: `Basic ${Buffer.from(`me:${password}`).toString('base64')}`,
  })

  test('is sent with the first request', async () => {
    const { repository, shape } = await setUp({ kind: 'basic', ...me }, async () => token('secret'))
    await repository.head('v1')
    expect(shape()).toEqual(['HEAD signed'])
  })

  test('is renewed once for all when it expires, also when that is said with 403', async () => {
    const words = JSON.stringify({
      errors: [
        { code: 'DENIED', message: 'Your authorization token has expired. Reauthenticate and try again.' },
      ],
    })
    let refreshed = 0
    const { double, blob, repository } = await setUp({ kind: 'basic', ...me }, async (_, query) => {
      if (query?.refresh === true) refreshed += 1
      return token(refreshed === 0 ? 'expired' : 'secret')
    })
    double.addFault({
      change: (next, request) =>
        request.headers['authorization'] === token('expired').authorization
          ? fault.status(403, words)(next, request)
          : next(),
    })
    const found = await Promise.all(
      Array.from({ length: 6 }, async () => digestAll(await repository.fetch(blob))),
    )
    expect(found.every(({ digest }) => digest === blob.digest)).toBe(true)
    expect(refreshed).toBe(1)
    await repository.head('v1')
    expect(double.requests.at(-1)?.headers['authorization']).toBe(token('secret').authorization)
  })

  test('is exchanged for a token where the registry wants one', async () => {
    const { double, repository, shape } = await setUp({ kind: 'bearer', ...me }, async () => token('secret'))
    expect(await repository.head('v1')).toBeDefined()
    expect(await repository.head('v1')).toBeDefined()
    expect(shape()).toEqual(['HEAD signed', 'token', 'HEAD signed', 'HEAD signed'])
    expect(double.requests[3]?.headers['authorization']).toMatch(/^Bearer /)
  })
})

describe('redirects', () => {
  async function withStore(change: (origin: string) => fault.Fault) {
    const store = await startDouble({ faults: [{ change: fault.refuseAuthorization }] })
    running.push(store)
    const made = await setUp({ kind: 'basic', ...me }, async () => me, { faults: [] })
    made.double.addFault(change(store.origin))
    const blob = store.addBlob('team/app', noise(200_000, 9))
    made.double.addBlob('team/app', noise(200_000, 9))
    return { ...made, store, blob }
  }

  test('to another origin go without credentials, but with Range', async () => {
    const { double, store, blob, repository } = await withStore((origin) => ({
      on: /^GET .*blobs/,
      change: (next, request) =>
        request.headers['authorization'] === undefined
          ? next()
          : fault.redirectTo(origin, 307, '?X-Amz-Signature=abc')(next, request),
    }))
    store.addFault({ times: 1, change: fault.cutAfter(70_000) })
    expect((await digestAll(await repository.fetch(blob))).digest).toBe(blob.digest)
    expect(store.requests.map(({ headers }) => [headers['authorization'], headers['range']])).toEqual([
      [undefined, undefined],
      [undefined, 'bytes=70000-'],
    ])
    // The signed URL may have expired by now, so the registry is asked for a new one.
    expect(double.requests.at(-1)?.headers['range']).toBe('bytes=70000-')
  })

  test('to the same origin keep them', async () => {
    const { double, repository } = await setUp({ kind: 'basic', ...me }, async () => me)
    double.addManifest(
      'new/home',
      Buffer.from('{"mediaType":"application/vnd.oci.image.index.v1+json"}'),
      'v1',
    )
    double.addFault({
      on: /team\/app/,
      change: fault.answer({
        status: 308,
        headers: { location: '/v2/new/home/manifests/v1' },
        body: Buffer.alloc(0),
      }),
    })
    expect(await repository.head('v1')).toBeDefined()
  })

  test('that never end are left', async () => {
    const { double, repository } = await setUp({ kind: 'open' })
    double.addFault({ change: fault.redirectTo(double.origin) })
    const error = await failureOf(repository.resolve('v1'))
    expect(error.message).toContain('more than 10 redirects')
    expect(double.requests).toHaveLength(11)
  })
})

describe('many requests to a registry of which nothing is known', () => {
  test('are one challenge and one token in all', async () => {
    const { shape, repository } = await setUp({ kind: 'bearer' })
    const found = await Promise.all(Array.from({ length: 12 }, () => repository.head('v1')))
    expect(found.every((one) => one !== undefined)).toBe(true)
    expect(shape()).toEqual(['HEAD bare', 'token', ...Array.from({ length: 12 }, () => 'HEAD signed')])
  })

  test('are one challenge and a password for each', async () => {
    const access = { kind: 'basic', ...me } as const
    const { shape, repository } = await setUp(access, async () => me)
    await Promise.all(Array.from({ length: 12 }, () => repository.head('v1')))
    expect(shape()).toEqual(['HEAD bare', ...Array.from({ length: 12 }, () => 'HEAD signed')])
  })

  test('are not held up for ever by the first', async () => {
    const { double, repository, shape } = await setUp({ kind: 'open' })
    double.addFault({ on: /^HEAD/, times: 1, change: fault.reset })
    await Promise.all(Array.from({ length: 12 }, () => repository.head('v1')))
    expect(shape()).toHaveLength(13)
  })
})
