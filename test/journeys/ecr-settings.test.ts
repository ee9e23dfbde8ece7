import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { startEcr, type Ecr, type EcrOptions } from '../support/ecr/server.ts'
import type { ApiAction } from '../support/ecr/options.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

let bundle: SmallBundle
let folder: string
let double: Ecr | undefined
beforeAll(async () => {
  bundle = await makeSmallBundle()
  folder = mkdtempSync(join(tmpdir(), 'ecr-settings-'))
  writeFileSync(file('lifecycle.json'), lifecyclePolicy)
  writeFileSync(file('policy.json'), repositoryPolicy)
})
afterEach(async () => double?.stop())
afterAll(async () => {
  await bundle.remove()
  rmSync(folder, { recursive: true })
})

const file = (name: string): string => join(folder, name)
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

async function start(options: EcrOptions = {}): Promise<Ecr> {
  double = await startEcr({ tls: false, quotas: 'none', ...options })
  return double
}

const run = (registry: Ecr, ...more: readonly string[]): Promise<Outcome> => {
  const place = [
    '--registry',
    registry.registry,
    '--endpoint-url',
    registry.endpoint,
    '--region',
    registry.region,
  ]
  const env = { ...registry.environment, XDG_STATE_HOME: folder, HOME: folder }
  return runShell(['import', bundle.file, ...place, '--values', file('values.yaml'), ...more], { env })
}

const counts = (registry: Ecr, ...actions: readonly ApiAction[]): number[] =>
  actions.map((action) => registry.log.count(action))

test('settings are compared also when nothing is pushed, and changed on request, with the list first', async () => {
  const registry = await start()
  expect((await run(registry)).code).toBe(0)
  const wanted = [
    '--tag-mutability',
    'IMMUTABLE',
    '--scan-on-push',
    '--lifecycle-policy',
    file('lifecycle.json'),
  ]
  const encrypted = ['--kms-key', 'alias/mine', '--tags', 'team=platform']
  const changes = [
    'PutImageTagMutability',
    'PutImageScanningConfiguration',
    'TagResource',
    'PutLifecyclePolicy',
  ] as const

  const told = await run(registry, ...wanted, ...encrypted)
  expect(told.code).toBe(0)
  expect(told.stdout).toContain('0 pushed, 3 unchanged')
  // One line for all repositories that differ alike, with their names.
  expect(told.stderr.match(/3 repositories exist with another/g)).toHaveLength(5)
  expect(told.stderr).toContain('another tag mutability: MUTABLE instead of IMMUTABLE; it is left alone')
  expect(told.stderr).toContain('another lifecycle policy: none instead of the given one; it is left alone')
  expect(told.stderr).toContain('another encryption: AES256 instead of KMS alias/mine; it cannot be changed')
  expect(told.stderr).toContain('run the same command with --apply-settings')
  for (const { name } of registry.repositories()) expect(told.stderr).toContain(name)
  expect(counts(registry, ...changes)).toEqual([0, 0, 0, 0])
  // A hundred by one request.
  const before = registry.log.count('DescribeRepositories')

  const applied = await run(registry, ...wanted, ...encrypted, '--apply-settings')
  expect(applied.code).toBe(0)
  expect(registry.log.count('DescribeRepositories')).toBe(before + 1)
  expect(applied.stderr).toContain('MUTABLE instead of IMMUTABLE; it is changed now')
  expect(counts(registry, ...changes)).toEqual([3, 3, 3, 3])
  for (const repository of registry.repositories()) {
    expect(repository.mutability.mode).toBe('IMMUTABLE')
    expect(repository.scanOnPush).toBe(true)
    expect(repository.lifecyclePolicy).toBe(lifecyclePolicy)
    expect(repository.tags.get('team')).toBe('platform')
  }

  const quiet = await run(registry, ...wanted, '--tags', 'team=platform')
  expect(quiet.stderr).not.toContain('exist with another')
})

test('without settings nothing is compared', async () => {
  const registry = await start()
  await run(registry)
  const before = registry.log.count('DescribeRepositories')
  await run(registry)
  expect(registry.log.count('DescribeRepositories')).toBe(before)
})

test('a repository whose policy was refused is incomplete in every run, until it has it', async () => {
  const registry = await start({ denied: ['SetRepositoryPolicy'] })
  const settings = ['--repository-policy', file('policy.json'), '--lifecycle-policy', file('lifecycle.json')]
  for (const attempt of [1, 2]) {
    const refused = await run(registry, ...settings)
    expect({ attempt, code: refused.code }).toEqual({ attempt, code: 3 })
    expect(refused.stderr).toContain('ecr:SetRepositoryPolicy')
    // Nothing is in a repository that is not set up.
    expect(registry.repositories().map(({ images }) => images.size)).toEqual([0, 0, 0])
  }
  registry.allow('SetRepositoryPolicy')
  const done = await run(registry, ...settings)
  expect(done.code).toBe(0)
  expect(done.stderr).not.toContain('exist with another')
  for (const repository of registry.repositories()) {
    expect(repository.policy).toBe(repositoryPolicy)
    expect(repository.lifecyclePolicy).toBe(lifecyclePolicy)
    expect(repository.images.size).toBeGreaterThan(0)
  }
})

test('one that holds images of somebody else gets no policy unasked', async () => {
  const registry = await start()
  await run(registry)
  const told = await run(registry, '--lifecycle-policy', file('lifecycle.json'))
  expect(told.stderr).toContain('another lifecycle policy: none')
  expect(registry.log.count('PutLifecyclePolicy')).toBe(0)
})

test('--apply-settings needs settings', async () => {
  const { code, stderr } = await run(await start(), '--apply-settings')
  expect(code).toBe(2)
  expect(stderr).toContain('--apply-settings has no settings to apply')
})

test('where ECR makes repositories with the first push, a denied CreateRepository stops nothing', async () => {
  const registry = await start({ denied: ['CreateRepository'], createOnPush: 'by-service' })
  const { code, stderr, stdout } = await run(registry)
  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(stdout).toContain('3 pushed, 0 unchanged')
  expect(Object.keys(registry.tags())).toHaveLength(3)
  // The templates are asked for once.
  expect(registry.log.count('DescribeRepositoryCreationTemplates')).toBe(1)
})

test.each([
  ['there is no template', []],
  ['templates may not be asked for', ['DescribeRepositoryCreationTemplates' as const]],
])('where nobody makes them, one message says what is missing: %s', async (_, denied) => {
  const registry = await start({ denied: ['CreateRepository', ...denied] })
  const { code, stderr } = await run(registry, '--quiet')
  expect(code).toBe(3)
  expect(stderr.match(/this identity may not make it/g)).toHaveLength(1)
  expect(stderr).toContain('ecr:CreateRepository is denied')
  expect(stderr).toContain('--applied-for CREATE_ON_PUSH')
  expect(stderr).toContain('not permitted (3):')
})

test('a template that asks for the denied permission is told from none', async () => {
  const registry = await start({ denied: ['CreateRepository'], createOnPush: true })
  const { code, stderr } = await run(registry, '--quiet')
  expect(code).toBe(3)
  expect(stderr.match(/asks for the same permission/g)).toHaveLength(1)
})

test('the remedies of that message work: either of the two', async () => {
  const denied = await start({ denied: ['CreateRepository'] })
  expect((await run(denied)).code).toBe(3)
  denied.allow('CreateRepository')
  expect((await run(denied)).code).toBe(0)
})
