import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { ask, present, pushImage, putManifest, told } from './client.ts'

let ecr: Ecr
const wanted = Array.from({ length: 230 }, (_, at) => `t${at}`)

beforeAll(async () => {
  ecr = await startEcr({ tls: false, quotas: 'none' })
  ecr.createRepository('listed')
  const { raw } = await pushImage(ecr, 'listed', 't0')
  for (const tag of wanted.slice(1)) await putManifest(ecr, 'listed', tag, raw)
})
afterAll(() => ecr.stop())

const follow = async (path: string) => {
  const pages: string[][] = []
  for (let next: string | undefined = path; next !== undefined;) {
    const response: Response = await ask(ecr, next)
    const { tags } = (await response.json()) as { tags: string[] }
    pages.push(tags)
    next = /^<(.+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1]
  }
  return pages
}

describe('the list of tags', () => {
  test('comes in pages of 100, unsorted, as text, with an opaque link', async () => {
    const first = await ask(ecr, '/v2/listed/tags/list')
    expect(first.headers.get('content-type')).toMatch(/^text\/plain/)
    const { name, tags } = (await first.json()) as { name: string; tags: string[] }
    expect([name, tags.length]).toEqual(['listed', 100])
    expect(tags).not.toEqual(tags.toSorted())
    const last = new URLSearchParams(present(first.headers.get('link')).replace(/^.*\?|>.*$/g, '')).get(
      'last',
    )
    expect(wanted).not.toContain(last)
    const pages = await follow('/v2/listed/tags/list')
    expect(pages.map((page) => page.length)).toEqual([100, 100, 30])
    expect(pages.flat().toSorted()).toEqual(wanted.toSorted())
  })

  test('takes n up to 1000', async () => {
    expect(await follow('/v2/listed/tags/list?n=1000')).toHaveLength(1)
    expect((await follow('/v2/listed/tags/list?n=90')).map((page) => page.length)).toEqual([90, 90, 50])
    expect(await told(await ask(ecr, '/v2/listed/tags/list?n=1001'))).toMatch(
      /^400 UNSUPPORTED .*'Member must have value less than or equal to 1000'$/,
    )
    expect((await ask(ecr, '/v2/listed/tags/list?last=t5')).status).toBe(400)
  })

  test('is unknown for an unknown repository', async () => {
    expect(await told(await ask(ecr, '/v2/none/tags/list'))).toMatch(/^404 NAME_UNKNOWN /)
  })
})

test('the catalog lists repositories', async () => {
  expect(await (await ask(ecr, '/v2/_catalog')).json()).toEqual({ repositories: ['listed'] })
})

test('a name that ECR would not take is refused as such', async () => {
  expect(await told(await ask(ecr, '/v2/Upper/tags/list'))).toMatch(/^400 NAME_INVALID /)
})

test('a path that is no endpoint is not found', async () => {
  expect((await ask(ecr, '/v2/listed/nothing')).status).toBe(404)
  expect((await ask(ecr, '/elsewhere')).status).toBe(404)
})
