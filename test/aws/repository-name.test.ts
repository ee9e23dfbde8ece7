import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repositoryNameProblem } from '../../src/aws/ecr/repository-name.ts'
import { openEcr } from '../support/ecr-client.ts'
import { startEcr, type Ecr as Double } from '../support/ecr/server.ts'

let double: Double
beforeAll(async () => {
  double = await startEcr()
})
afterAll(async () => double.stop())

describe('repositoryNameProblem', () => {
  test.each([
    'aa',
    'mirrored/quay.io/jetstack/cert-manager',
    'a--b/c__d/e.f',
    'x'.repeat(256),
    '1/2',
    'a/localhost-5000/b',
  ])('takes %s', (name) => {
    expect(repositoryNameProblem(name)).toBeUndefined()
  })

  test.each([
    ['a', 'too short'],
    ['x'.repeat(257), '257 characters'],
    ['Quay.io/x', 'no upper-case letters in names ("Quay.io")'],
    ['a//b', 'empty part'],
    ['/a', 'empty part'],
    ['a/', 'empty part'],
    ['a/-b', 'begin and end with a letter or digit ("-b")'],
    ['a/b.', 'begin and end'],
    ['a/b___c', 'one or two underscores'],
    ['a/b..c', 'one dot'],
    ['a/b._c', 'not a mix'],
    ['a/b:5000', 'does not allow ":"'],
    ['a/b c', 'does not allow " "'],
    ['a/ä', 'does not allow "ä"'],
  ])('refuses %s', (name, why) => {
    expect(repositoryNameProblem(name)).toContain(why)
  })

  test('agrees with the API', async () => {
    const { ecr } = openEcr(double)
    for (const name of ['a--b', 'a___b', 'a..b', '-a', 'aB', 'a/b/c/d/e/f/g']) {
      const accepted = await ecr
        .call('CreateRepository', (api) => api.createRepository({ repositoryName: name }))
        .then(() => true)
        .catch(() => false)
      expect([name, accepted]).toEqual([name, repositoryNameProblem(name) === undefined])
    }
  })
})
