import { afterEach, describe, expect, test } from 'vitest'
import { openRepository } from '../../src/registry/repository.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import type { Fault } from '../support/registry/faults.ts'
import { failureOf, harness, listAll } from '../support/registry/harness.ts'

const running: RegistryDouble[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((double) => double.stop()))
})

async function listing(change: Fault['change']) {
  const double = await startDouble({ faults: [{ on: /tags\/list/, change }] })
  running.push(double)
  return { double, repository: openRepository(harness().client, double.host, 'team/app') }
}

const reply = (body: string, headers: Record<string, string> = {}) => ({
  status: 200,
  headers: { 'content-type': 'application/json', ...headers },
  body: Buffer.from(body),
})

const OWN = '/v2/team/app/tags/list?n=1&last=one'

describe('a list goes on at the registry that began it', () => {
  test.each([
    ['a path', `<${OWN}>; rel="next"`],
    ['the same host', `<{origin}${OWN}>; rel="next"`],
    ['another host', `<http://internal.example:5000${OWN}>; rel="next"`],
    ['another scheme and port', `<https://127.0.0.1:1${OWN}>; rel="next"`],
    ['another prefix', '</artifactory/api/docker/x/v2/team/app/tags/list?n=1&last=one>; rel="next"'],
    ['no slash', '<list?n=1&last=one>; rel=next'],
    ['a query alone', '<?n=1&last=one>; rel="next"'],
    ['two relations', `</v2/team/app/tags/list>; rel="prev", <${OWN}>; rel="next"`],
  ])('whatever the link says: %s', async (_, link) => {
    const { double, repository } = await listing((_next, { query }) =>
      query.get('last') === 'one'
        ? reply('{"tags":["two"]}')
        : reply('{"tags":["one"]}', { link: link.replace('{origin}', double.origin) }),
    )
    expect(await listAll(repository.tags())).toEqual(['one', 'two'])
    expect(double.take()).toEqual(['GET /v2/team/app/tags/list?n=1000', `GET ${OWN}`])
  })

  test('and ends when a link leads back', async () => {
    const { repository } = await listing(() =>
      reply('{"tags":["one"]}', { link: '</v2/team/app/tags/list?n=1000>; rel="next"' }),
    )
    expect(await listAll(repository.tags())).toEqual(['one'])
  })
})

test('an empty list may be null', async () => {
  const { repository } = await listing(() => reply('{"name":"team/app","tags":null}'))
  expect(await listAll(repository.tags())).toEqual([])
})

test.each([
  ['an HTML page', '<!doctype html><title>Sign in</title>', 'text/html'],
  ['text', 'ok', 'text/plain'],
  ['an array', '[]', 'application/json'],
])('%s is no list of tags', async (_, body, type) => {
  const { repository } = await listing(() => reply(body, { 'content-type': type }))
  const error = await failureOf(listAll(repository.tags()))
  expect(error.message).toContain('something else than a list of tags')
  expect(error.next).toContain('login page')
})
