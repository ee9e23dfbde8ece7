import {
  CreateRepositoryCommand,
  DeleteRepositoryCommand,
  DescribeRegistryCommand,
  DescribeRepositoriesCommand,
  GetAccountSettingCommand,
  GetLifecyclePolicyCommand,
  GetRepositoryPolicyCommand,
  ListTagsForResourceCommand,
  paginateDescribeRepositories,
  PutAccountSettingCommand,
  PutImageScanningConfigurationCommand,
  PutLifecyclePolicyCommand,
  SetRepositoryPolicyCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-ecr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { pushImage, refusal, sdk } from './client.ts'

/*
 * Compared by hand with moto 5.2.1, through the same SDK, on 27 calls of these operations: names, members and
 * messages are the same. The double differs on purpose where moto is behind AWS's own model of the API: names of one
 * character and the newer name pattern, the wording of enum and filter refusals, and no `lastEvaluatedAt`.
 */
let ecr: Ecr

beforeAll(async () => {
  ecr = await startEcr({ tls: false })
})
afterAll(() => ecr.stop())

describe('CreateRepository', () => {
  test('answers what it made, with the address that the double listens on', async () => {
    const { repository } = await sdk(ecr).send(
      new CreateRepositoryCommand({
        repositoryName: 'team/full',
        imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
        imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'dev-*' }],
        imageScanningConfiguration: { scanOnPush: true },
        encryptionConfiguration: { encryptionType: 'KMS', kmsKey: 'abc' },
        tags: [{ Key: 'team', Value: 'search' }],
      }),
    )
    expect(repository).toEqual({
      repositoryArn: 'arn:aws:ecr:eu-central-1:123456789012:repository/team/full',
      registryId: '123456789012',
      repositoryName: 'team/full',
      repositoryUri: `${ecr.registry}/team/full`,
      createdAt: expect.any(Date),
      imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION',
      imageTagMutabilityExclusionFilters: [{ filterType: 'WILDCARD', filter: 'dev-*' }],
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfiguration: {
        encryptionType: 'KMS',
        kmsKey: 'arn:aws:kms:eu-central-1:123456789012:key/abc',
      },
    })
    const found = await sdk(ecr).send(new DescribeRepositoriesCommand({ repositoryNames: ['team/full'] }))
    expect(found.repositories).toEqual([repository])
  })

  test('takes a name once', async () => {
    const create = () => sdk(ecr).send(new CreateRepositoryCommand({ repositoryName: 'twice' }))
    await create()
    expect(await refusal(create())).toBe(
      "RepositoryAlreadyExistsException: The repository with name 'twice' already exists in the registry with id '123456789012'",
    )
  })

  test('refuses names outside the pattern and takes those within', async () => {
    const create = (repositoryName: string) => sdk(ecr).send(new CreateRepositoryCommand({ repositoryName }))
    const bad = [
      'a',
      'A/b',
      'a//b',
      '/a',
      'a/',
      'a..b',
      'a_-b',
      'a___b',
      '-ab',
      'ab-',
      'a:b',
      'x'.repeat(257),
    ]
    for (const name of bad)
      expect(await refusal(create(name)), name).toMatch(/^InvalidParameterException: .*'repositoryName'/)
    for (const name of ['a--b', 'a__b', '0/1.2_3', 'x'.repeat(256)]) await create(name)
  })

  test('refuses settings that do not belong together', async () => {
    const create = (over: object) =>
      sdk(ecr).send(new CreateRepositoryCommand({ repositoryName: 'wrong', ...over }))
    const filter = { filterType: 'WILDCARD' as const, filter: 'x*' }
    expect(await refusal(create({ imageTagMutabilityExclusionFilters: [filter] }))).toMatch(
      /^InvalidParameter/,
    )
    expect(await refusal(create({ imageTagMutability: 'IMMUTABLE_WITH_EXCLUSION' }))).toMatch(
      /^InvalidParameter/,
    )
    expect(await refusal(create({ imageTagMutability: 'SOMETIMES' }))).toMatch(/enum value set/)
    const six = Array.from({ length: 6 }, () => filter)
    expect(
      await refusal(
        create({ imageTagMutability: 'MUTABLE_WITH_EXCLUSION', imageTagMutabilityExclusionFilters: six }),
      ),
    ).toMatch(/less than or equal to 5/)
    expect(
      await refusal(create({ encryptionConfiguration: { encryptionType: 'AES256', kmsKey: 'k' } })),
    ).toMatch(/^InvalidParameter/)
    expect(await refusal(create({ tags: [{ Key: 'aws:x', Value: '' }] }))).toMatch(/^InvalidTagParameter/)
    expect(ecr.repository('wrong')).toBeUndefined()
  })
})

describe('DescribeRepositories', () => {
  test('pages, and knows which name is missing', async () => {
    const many = await startEcr({ tls: false })
    for (let one = 0; one < 205; one += 1) many.createRepository(`many/r${one}`)
    const pages: number[] = []
    for await (const page of paginateDescribeRepositories({ client: sdk(many) }, {}))
      pages.push(page.repositories?.length ?? 0)
    expect(pages).toEqual([100, 100, 5])
    const some = await sdk(many).send(new DescribeRepositoriesCommand({ maxResults: 2 }))
    expect(some.repositories).toHaveLength(2)
    expect(
      await refusal(
        sdk(many).send(new DescribeRepositoriesCommand({ repositoryNames: ['many/r1', 'many/none'] })),
      ),
    ).toBe(
      "RepositoryNotFoundException: The repository with name 'many/none' does not exist in the registry with id '123456789012'",
    )
    expect(await refusal(sdk(many).send(new DescribeRepositoriesCommand({ nextToken: 'made up' })))).toMatch(
      /^InvalidParameterException/,
    )
    await many.stop()
  })
})

describe('what is set on a repository', () => {
  const repositoryName = 'settings'
  const resourceArn = 'arn:aws:ecr:eu-central-1:123456789012:repository/settings'

  beforeAll(() => void ecr.createRepository(repositoryName))

  test('lifecycle policies', async () => {
    expect(await refusal(sdk(ecr).send(new GetLifecyclePolicyCommand({ repositoryName })))).toMatch(
      /^LifecyclePolicyNotFoundException: /,
    )
    const selection = {
      tagStatus: 'untagged',
      countType: 'sinceImagePushed',
      countUnit: 'days',
      countNumber: 14,
    }
    const rule = { rulePriority: 1, selection, action: { type: 'expire' } }
    const lifecyclePolicyText = JSON.stringify({ rules: [rule] })
    await sdk(ecr).send(new PutLifecyclePolicyCommand({ repositoryName, lifecyclePolicyText }))
    const got = await sdk(ecr).send(new GetLifecyclePolicyCommand({ repositoryName }))
    expect(got.lifecyclePolicyText).toBe(lifecyclePolicyText)
    const without = (member: string) => ({ ...rule, selection: { ...selection, [member]: undefined } })
    const tagged = { ...rule, selection: { ...selection, tagStatus: 'tagged' } }
    for (const rules of [
      undefined,
      [],
      [{ ...rule, action: undefined }],
      [{ ...rule, rulePriority: undefined }],
      [rule, rule],
      [tagged],
      ...['tagStatus', 'countType', 'countUnit', 'countNumber'].map((member) => [without(member)]),
    ]) {
      const bad = JSON.stringify({ rules }).padEnd(100)
      const put = new PutLifecyclePolicyCommand({ repositoryName, lifecyclePolicyText: bad })
      expect(await refusal(sdk(ecr).send(put)), bad).toMatch(/^InvalidParameterException.*validation failure/)
    }
    for (const bad of ['{', '{}', '[]', JSON.stringify({ rules: [rule] }).slice(0, 99)]) {
      const put = new PutLifecyclePolicyCommand({ repositoryName, lifecyclePolicyText: bad })
      expect(await refusal(sdk(ecr).send(put))).toMatch(/greater than or equal to 100/)
    }
  })

  test('repository policies', async () => {
    expect(await refusal(sdk(ecr).send(new GetRepositoryPolicyCommand({ repositoryName })))).toMatch(
      /^RepositoryPolicyNotFoundException: /,
    )
    const statement = { Effect: 'Allow', Principal: '*', Action: 'ecr:BatchGetImage' }
    for (const Statement of [
      undefined,
      [],
      { ...statement, Principal: undefined },
      [statement, { ...statement, Effect: undefined }],
      [{ ...statement, Resource: '*' }],
    ]) {
      const put = new SetRepositoryPolicyCommand({
        repositoryName,
        policyText: JSON.stringify({ Statement }),
      })
      expect(await refusal(sdk(ecr).send(put))).toMatch(/Invalid repository policy provided/)
    }
    const policyText = JSON.stringify({ Version: '2012-10-17', Statement: [statement] })
    await sdk(ecr).send(new SetRepositoryPolicyCommand({ repositoryName, policyText }))
    expect((await sdk(ecr).send(new GetRepositoryPolicyCommand({ repositoryName }))).policyText).toBe(
      policyText,
    )
  })

  test('tags', async () => {
    await sdk(ecr).send(
      new TagResourceCommand({
        resourceArn,
        tags: [
          { Key: 'a', Value: '1' },
          { Key: 'b', Value: '2' },
        ],
      }),
    )
    await sdk(ecr).send(new UntagResourceCommand({ resourceArn, tagKeys: ['a'] }))
    const { tags } = await sdk(ecr).send(new ListTagsForResourceCommand({ resourceArn }))
    expect(tags).toEqual([{ Key: 'b', Value: '2' }])
  })

  test('scanning', async () => {
    await sdk(ecr).send(
      new PutImageScanningConfigurationCommand({
        repositoryName,
        imageScanningConfiguration: { scanOnPush: true },
      }),
    )
    expect(ecr.repository(repositoryName)?.scanOnPush).toBe(true)
  })

  test('deletion asks for force when there are images', async () => {
    ecr.createRepository('doomed')
    await pushImage(ecr, 'doomed', '1')
    const repository = { repositoryName: 'doomed' }
    expect(await refusal(sdk(ecr).send(new DeleteRepositoryCommand(repository)))).toMatch(
      /^RepositoryNotEmpty/,
    )
    await sdk(ecr).send(new DeleteRepositoryCommand({ ...repository, force: true }))
    expect(ecr.repository('doomed')).toBeUndefined()
  })
})

describe('the registry', () => {
  test('keeps the account setting for blob mounting', async () => {
    const name = 'BLOB_MOUNTING'
    const read = async () => (await sdk(ecr).send(new GetAccountSettingCommand({ name }))).value
    expect(await read()).toBe('DISABLED')
    await sdk(ecr).send(new PutAccountSettingCommand({ name, value: 'ENABLED' }))
    expect(await read()).toBe('ENABLED')
    expect(await refusal(sdk(ecr).send(new PutAccountSettingCommand({ name, value: 'maybe' })))).toMatch(
      /^InvalidParameterException/,
    )
    expect(await refusal(sdk(ecr).send(new GetAccountSettingCommand({ name: 'NONE' })))).toMatch(
      /^InvalidParam/,
    )
  })

  test('describes itself', async () => {
    const { registryId } = await sdk(ecr).send(new DescribeRegistryCommand({}))
    expect(registryId).toBe('123456789012')
  })

  test('has ARNs of its own partition', async () => {
    const gov = await startEcr({ tls: false, region: 'us-gov-west-1' })
    const { repository } = await sdk(gov).send(new CreateRepositoryCommand({ repositoryName: 'gov' }))
    expect(repository?.repositoryArn).toBe('arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/gov')
    await gov.stop()
  })
})
