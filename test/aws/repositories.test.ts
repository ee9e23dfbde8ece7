import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EcrOptions as ClientOptions } from '../../src/aws/ecr/client.ts'
import { blobMounting } from '../../src/aws/ecr/blob-mounting.ts'
import { ensureRepository } from '../../src/aws/ecr/repositories.ts'
import { listRepositories } from '../../src/aws/ecr/repository-list.ts'
import type { RepositorySettings } from '../../src/aws/ecr/settings/repository-settings.ts'
import { openEcr, refusalOf } from '../support/ecr-client.ts'
import { startEcr, type Ecr as Double, type EcrOptions } from '../support/ecr/server.ts'

let double: Double
const start = async (options: EcrOptions = {}): Promise<Double> => {
  await double.stop()
  double = await startEcr(options)
  return double
}
beforeEach(async () => {
  double = await startEcr()
})
afterEach(async () => double.stop())

const open = (options: Partial<ClientOptions> = {}) => openEcr(double, options).ecr

const lifecyclePolicy = JSON.stringify({
  rules: [
    {
      rulePriority: 1,
      selection: { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 14 },
      action: { type: 'expire' },
    },
  ],
})
const repositoryPolicy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Sid: 'pull', Effect: 'Allow', Principal: '*', Action: ['ecr:BatchGetImage'] }],
})
const kmsKey = 'arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const everything: RepositorySettings = {
  tagMutability: 'IMMUTABLE_WITH_EXCLUSION',
  mutabilityExclusions: ['latest', 'dev-*'],
  scanOnPush: true,
  kmsKey,
  tags: { team: 'platform', cost: '42' },
  lifecyclePolicy,
  repositoryPolicy,
}

describe('ensureRepository', () => {
  test('makes a plain one', async () => {
    expect(await ensureRepository(open(), 'mirrored/quay.io/x')).toEqual({
      name: 'mirrored/quay.io/x',
      outcome: 'created',
      differences: [],
    })
    expect(double.repository('mirrored/quay.io/x')).toBeDefined()
  })

  test('makes one with all settings, and then finds no difference', async () => {
    expect((await ensureRepository(open(), 'a/b', everything)).outcome).toBe('created')
    const { repositories = [] } = await open().call('DescribeRepositories', (api) =>
      api.describeRepositories({}),
    )
    expect(repositories[0]).toMatchObject({
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: [
        { filterType: 'WILDCARD', filter: 'latest' },
        { filterType: 'WILDCARD', filter: 'dev-*' },
      ],
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfiguration: { encryptionType: 'KMS', kmsKey },
    })
    expect(await ensureRepository(open(), 'a/b', everything)).toEqual({
      name: 'a/b',
      outcome: 'exists',
      differences: [],
    })
  })

  test.each(['MUTABLE', 'IMMUTABLE'] as const)('makes one that is %s', async (tagMutability) => {
    await ensureRepository(open(), 'a/b', { tagMutability })
    const { repositories = [] } = await open().call('DescribeRepositories', (api) =>
      api.describeRepositories({}),
    )
    expect(repositories[0]?.imageTagMutability).toBe(tagMutability)
  })

  test('leaves an existing one alone and names every difference', async () => {
    await ensureRepository(open(), 'a/b', { tags: { team: 'other' } })
    const before = double.log.counts()
    const { outcome, differences } = await ensureRepository(open(), 'a/b', everything)
    expect(outcome).toBe('exists')
    expect(differences).toEqual([
      { setting: 'tag mutability', wanted: 'IMMUTABLE_WITH_EXCLUSION (dev-*, latest)', found: 'MUTABLE' },
      { setting: 'scan on push', wanted: 'on', found: 'off' },
      { setting: 'encryption', wanted: `KMS ${kmsKey}`, found: 'AES256' },
      { setting: 'tags', wanted: 'team=platform, cost=42', found: 'team=other, cost=' },
      { setting: 'lifecycle policy', wanted: 'the given one', found: 'none' },
      { setting: 'repository policy', wanted: 'the given one', found: 'none' },
    ])
    for (const action of [
      'CreateRepository',
      'PutLifecyclePolicy',
      'SetRepositoryPolicy',
      'TagResource',
    ] as const) {
      expect(double.log.count(action)).toBe(before[action] ?? 0)
    }
  })

  test('does not mind the order of keys and the white space of a policy', async () => {
    await ensureRepository(open(), 'a/b', { repositoryPolicy })
    const { Statement, Version } = JSON.parse(repositoryPolicy)
    const other = JSON.stringify({ Statement, Version }, null, 4)
    expect((await ensureRepository(open(), 'a/b', { repositoryPolicy: other })).differences).toEqual([])
  })

  test('says what it may not ask about', async () => {
    await start({ denied: ['GetLifecyclePolicy', 'ListTagsForResource'] })
    await ensureRepository(open(), 'a/b')
    const { differences } = await ensureRepository(open(), 'a/b', { lifecyclePolicy, tags: { a: 'b' } })
    expect(differences.map(({ found }) => found)).toEqual([
      'unknown (not permitted to ask)',
      'unknown (not permitted to ask)',
    ])
  })

  test('is safe to call by many at once', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, () => ensureRepository(open(), 'a/b', { scanOnPush: true })),
    )
    expect(outcomes.filter(({ outcome }) => outcome === 'created')).toHaveLength(1)
    expect(outcomes.flatMap(({ differences }) => differences)).toEqual([])
    expect(double.repositories()).toHaveLength(1)
  })

  test('makes 40 at once while the API throttles', async () => {
    await start({ quotas: { CreateRepository: 8, DescribeRepositories: 8 } })
    const { ecr, events } = openEcr(double)
    const names = Array.from({ length: 40 }, (_, at) => `mirrored/r${at}`)
    const outcomes = await Promise.all(names.map((name) => ensureRepository(ecr, name)))
    expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['created']))
    expect(double.repositories()).toHaveLength(40)
    expect(events.some((event) => event.type === 'retry' && event.reason.includes('Throttling'))).toBe(true)
  })

  test('takes one for granted that it may neither see nor make', async () => {
    await start({ denied: ['CreateRepository', 'DescribeRepositories'] })
    expect((await ensureRepository(open(), 'a/b')).outcome).toBe('assumed')
  })

  test('leaves one to the first push where a creation template makes it', async () => {
    await start({ denied: ['CreateRepository'], createOnPush: true })
    expect((await ensureRepository(open(), 'a/b')).outcome).toBe('assumed')
    const other = await refusalOf(() => ensureRepository(open(), 'a/b', {}, async () => ['team/a', 'other']))
    expect(other).toMatchObject({ kind: 'auth' })
    expect((await ensureRepository(open(), 'team/a/b', {}, async () => ['team/a'])).outcome).toBe('assumed')
  })

  test('needs no permission to make one that is there', async () => {
    await start({ denied: ['CreateRepository'] })
    double.createRepository('there')
    expect((await ensureRepository(open(), 'there')).outcome).toBe('exists')
    const error = await refusalOf(() => ensureRepository(open(), 'a/b'))
    expect(error).toMatchObject({ kind: 'auth', exception: 'AccessDeniedException' })
    expect(error).toHaveProperty('where', 'repository a/b')
    expect(error).toHaveProperty('next', expect.stringContaining('ecr:CreateRepository'))
  })

  test('refuses a name before asking', async () => {
    const error = await refusalOf(() => ensureRepository(open(), 'mirrored/Quay.io/x'))
    expect(error).toMatchObject({ kind: 'usage', message: expect.stringContaining('upper-case') })
    expect(double.log.counts()).toEqual({})
  })

  test('says that the quota of repositories is used up', async () => {
    double.faults.add({
      on: { action: 'CreateRepository' },
      fault: {
        kind: 'status',
        status: 400,
        body: JSON.stringify({ __type: 'LimitExceededException', message: 'The limit is 100000' }),
      },
    })
    const error = await refusalOf(() => ensureRepository(open({ attempts: 1 }), 'a/b'))
    expect(error).toMatchObject({ kind: 'failed', exception: 'LimitExceededException' })
    expect(error).toHaveProperty('next', expect.stringContaining('Service Quotas'))
  })

  test('tells what a key needs', async () => {
    double.faults.add({
      on: { action: 'CreateRepository' },
      fault: {
        kind: 'status',
        status: 400,
        body: JSON.stringify({ __type: 'KmsException', message: 'key is disabled', kmsError: 'X' }),
      },
    })
    const error = await refusalOf(() => ensureRepository(open(), 'a/b', { kmsKey }))
    expect(error).toMatchObject({ kind: 'auth', exception: 'KmsException' })
    expect(error).toHaveProperty('next', expect.stringContaining('kms:CreateGrant'))
  })
})

test('listRepositories reads every page, or nothing when it may not', async () => {
  const ecr = open()
  await Promise.all(Array.from({ length: 5 }, (_, at) => ensureRepository(ecr, `a/r${at}`)))
  expect(await listRepositories(ecr)).toHaveLength(5)
  await start({ denied: ['DescribeRepositories'] })
  expect(await listRepositories(open())).toBeUndefined()
})

describe('blobMounting', () => {
  test('costs two tries where the API fails at the question, and no more', async () => {
    double.faults.add({
      on: { action: 'GetAccountSetting' },
      fault: { kind: 'status', status: 500 },
      times: 99,
    })
    expect(await blobMounting(open())).toBe('unknown')
    expect(double.log.count('GetAccountSetting')).toBe(2)
  })

  test.each([
    [{ blobMounting: true }, 'on'],
    [{ blobMounting: false }, 'off'],
    [{ denied: ['GetAccountSetting' as const] }, 'unknown'],
  ])('with %o is %s', async (options, expected) => {
    await start(options)
    expect(await blobMounting(open())).toBe(expected)
  })

  test('is unknown to an emulator that stumbles over the question', async () => {
    double.faults.add({
      on: { action: 'GetAccountSetting' },
      fault: { kind: 'status', status: 500, body: '<html>' },
    })
    expect(await blobMounting(open({ attempts: 1 }))).toBe('unknown')
  })

  test('is no question any more once the run is stopped', async () => {
    const stopped = open({ signal: AbortSignal.abort() })
    await expect(blobMounting(stopped)).rejects.toHaveProperty('kind', 'cancelled')
  })
})
