import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { tryPermissions, type Permission } from '../../src/aws/ecr/permissions.ts'
import { ensureRepository } from '../../src/aws/ecr/repositories.ts'
import { openEcr, refusalOf } from '../support/ecr-client.ts'
import { startEcr, type Ecr as Double, type EcrOptions } from '../support/ecr/server.ts'

let double: Double
beforeEach(async () => {
  double = await startEcr()
})
afterEach(async () => double.stop())

async function start(options: EcrOptions): Promise<void> {
  await double.stop()
  double = await startEcr(options)
}

const actionsThat = (permissions: readonly Permission[], outcome: Permission['outcome']): string[] =>
  permissions.filter((one) => one.outcome === outcome).map(({ action }) => action)

const ALL = [
  'ecr:BatchCheckLayerAvailability',
  'ecr:BatchGetImage',
  'ecr:CompleteLayerUpload',
  'ecr:CreateRepository',
  'ecr:DescribeRepositories',
  'ecr:GetDownloadUrlForLayer',
  'ecr:InitiateLayerUpload',
  'ecr:ListImages',
  'ecr:PutImage',
  'ecr:UploadLayerPart',
]

describe('tryPermissions', () => {
  test('tries all on repositories that do not exist, but for creation, which needs one that does', async () => {
    const { ecr } = openEcr(double)
    await ensureRepository(ecr, 'mirrored/x')
    const found = await tryPermissions(ecr, ['mirrored', 'charts'], 'mirrored/x')
    expect(actionsThat(found, 'allowed').toSorted()).toEqual(ALL)
    expect(double.repositories().map(({ name }) => name)).toEqual(['mirrored/x'])
    expect(double.repository('mirrored/x')?.images.size).toBe(0)
  })

  test('does not risk a repository where a template makes them on push', async () => {
    await start({ createOnPush: true })
    const { ecr } = openEcr(double)
    const found = await tryPermissions(ecr, ['mirrored'], undefined)
    expect(actionsThat(found, 'not tried')).toEqual([
      'ecr:InitiateLayerUpload',
      'ecr:PutImage',
      'ecr:CreateRepository',
    ])
    expect(found.find(({ action }) => action === 'ecr:PutImage')?.why).toContain('ROOT')
    expect(double.repositories()).toEqual([])
  })

  test('tries PutImage on a repository that exists, where the image is refused for its layers', async () => {
    await start({ denied: ['DescribeRepositoryCreationTemplates'] })
    const { ecr } = openEcr(double)
    await ensureRepository(ecr, 'mirrored/x')
    const found = await tryPermissions(ecr, ['mirrored'], 'mirrored/x')
    expect(actionsThat(found, 'not tried')).toEqual(['ecr:InitiateLayerUpload'])
    expect(actionsThat(found, 'allowed')).toContain('ecr:PutImage')
    expect(double.repository('mirrored/x')?.images.size).toBe(0)
  })

  test('gives the words of AWS for what is denied', async () => {
    await start({ denied: ['PutImage', 'BatchGetImage'] })
    const found = await tryPermissions(openEcr(double).ecr, ['mirrored'], undefined)
    expect(actionsThat(found, 'denied')).toEqual(['ecr:BatchGetImage', 'ecr:PutImage'])
    expect(found.find(({ action }) => action === 'ecr:PutImage')?.why).toContain(
      'is not authorized to perform: ecr:PutImage',
    )
  })

  test('goes on behind an action at which the API fails', async () => {
    double.faults.add({
      on: { action: 'ListImages' },
      fault: { kind: 'status', status: 500 },
      times: 99,
    })
    const { ecr } = openEcr(double, { attempts: 1 })
    await ensureRepository(ecr, 'mirrored/x')
    const found = await tryPermissions(ecr, ['mirrored'], 'mirrored/x')
    expect(actionsThat(found, 'not tried')).toEqual(['ecr:ListImages'])
    expect(found.find(({ action }) => action === 'ecr:ListImages')?.why).toContain('The service failed')
    expect(actionsThat(found, 'allowed')).toHaveLength(ALL.length - 1)
  })

  test('does not take an API that hangs up for a permission', async () => {
    double.faults.add({ on: { action: 'ListImages' }, fault: { kind: 'close' }, times: 9 })
    const { ecr } = openEcr(double, { attempts: 1 })
    expect(await refusalOf(() => tryPermissions(ecr, ['mirrored'], undefined))).toHaveProperty(
      'kind',
      'network',
    )
  })
})
