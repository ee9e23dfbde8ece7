import { expect, test } from 'vitest'
import { createLog, finish, type LogWriter } from '../support/ecr/log.ts'
import { startEcr } from '../support/ecr/server.ts'
import { ask } from './client.ts'

/** Entries at given moments, each lasting `lasting` milliseconds. */
function logOf(moments: readonly number[], lasting: number): LogWriter {
  const log = createLog()
  for (const at of moments) {
    const entry = log.begin({ plane: 'dkr', method: 'PUT', path: `/${at}`, query: '', headers: {} })
    Object.assign(entry, { at, actions: ['PutImage'] })
    finish(entry, lasting)
  }
  return log
}

test('the log knows the busiest second and the most requests at a time', () => {
  const log = logOf([0, 100, 900, 999, 1001, 1050, 1099, 5000], 150)
  expect(log.busiestSecond('PutImage')).toBe(6)
  expect(log.busiestSecond('BatchGetImage')).toBe(0)
  expect(log.peak()).toBe(4)
  expect(log.peak(({ path }) => path === '/0')).toBe(1)
})

test('the log finds requests by method, path and plane, counts actions, and keeps no secret', async () => {
  const ecr = await startEcr({ tls: false })
  ecr.createRepository('logged')
  await ask(ecr, '/v2/logged/tags/list?n=5', { headers: { 'x-amz-security-token': 'secret' } })
  await ask(ecr, '/v2/logged/manifests/1')
  await ask(ecr, '/v2/logged/manifests/1', { token: null })
  expect(ecr.log.counts()).toEqual({ ListImages: 1, BatchGetImage: 1 })
  expect(
    ecr.log.requests('GET', /\/manifests\//).map(({ status, repository }) => [status, repository]),
  ).toEqual([
    [404, 'logged'],
    [401, undefined],
  ])
  expect(ecr.log.requests(undefined, '/v2/logged/tags/list', 'dkr')).toMatchObject([
    { query: 'n=5', status: 200, headers: { authorization: 'Basic', 'x-amz-security-token': '' } },
  ])
  expect(ecr.log.requests('GET', undefined, 's3')).toEqual([])
  ecr.log.clear()
  expect(ecr.log.entries).toEqual([])
  await ecr.stop()
})
