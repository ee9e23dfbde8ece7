import { describe, expect, test } from 'vitest'
import { checkSettings, type RepositorySettings } from '../../src/aws/ecr/settings/repository-settings.ts'

const everything: RepositorySettings = {
  tagMutability: 'IMMUTABLE_WITH_EXCLUSION',
  mutabilityExclusions: ['latest', 'dev-*'],
  scanOnPush: true,
  kmsKey: 'alias/ecr',
  tags: { team: 'platform' },
  lifecyclePolicy: '{"rules":[{}]}'.padEnd(100),
  repositoryPolicy: '{"Statement":[{}]}',
}

describe('checkSettings', () => {
  test('takes everything at once, and nothing', () => {
    expect(() => checkSettings(everything)).not.toThrow()
    expect(() => checkSettings({})).not.toThrow()
  })

  test.each<[RepositorySettings, string]>([
    [{ tagMutability: 'MUTABLE_WITH_EXCLUSION' }, 'at least one exclusion'],
    [{ tagMutability: 'IMMUTABLE', mutabilityExclusions: ['x'] }, 'only go with'],
    [{ mutabilityExclusions: ['x'] }, 'only go with'],
    [
      { tagMutability: 'MUTABLE_WITH_EXCLUSION', mutabilityExclusions: ['1', '2', '3', '4', '5', '6'] },
      '5 tag mutability exclusions',
    ],
    [
      { tagMutability: 'MUTABLE_WITH_EXCLUSION', mutabilityExclusions: ['a b'] },
      'not a tag mutability exclusion',
    ],
    [{ tags: { 'aws:x': '1' } }, 'not a tag that a repository can have'],
    [{ tags: Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`t${at}`, ''])) }, '50 tags'],
    [{ lifecyclePolicy: '{' }, 'the lifecycle policy is not JSON'],
    [{ repositoryPolicy: 'yes: yaml' }, 'the repository policy is not JSON'],
    [{ lifecyclePolicy: '{"Statement":[]}' }, 'the lifecycle policy has no "rules"'],
    [{ lifecyclePolicy: '[]' }, 'the lifecycle policy has no "rules"'],
    [{ repositoryPolicy: '{"rules":[]}' }, 'the repository policy has no "Statement"'],
    [{ repositoryPolicy: 'null' }, 'the repository policy has no "Statement"'],
    [{ lifecyclePolicy: '{"rules":[]}'.padEnd(100) }, 'the lifecycle policy has nothing in its "rules"'],
    [{ lifecyclePolicy: '{"rules":[{}]}' }, 'the lifecycle policy has 14 characters; ECR takes 100 to 30720'],
    [
      { repositoryPolicy: '{"Statement":[{}]}'.padEnd(10_241) },
      'the repository policy has 10241 characters; ECR takes 0 to 10240',
    ],
  ])('refuses %o', (settings, why) => {
    expect(() => checkSettings(settings)).toThrow(why)
  })
})
