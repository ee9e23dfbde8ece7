import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { adviceForEcr } from '../../src/aws/ecr/refusals.ts'
import { startEcr, type Ecr, type EcrOptions } from '../support/ecr/server.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

let bundle: SmallBundle
let folder: string
let double: Ecr | undefined
beforeAll(async () => {
  bundle = await makeSmallBundle()
  folder = mkdtempSync(join(tmpdir(), 'ecr-refusals-'))
})
afterEach(async () => double?.stop())
afterAll(async () => {
  await bundle.remove()
  rmSync(folder, { recursive: true })
})

async function start(options: EcrOptions = {}): Promise<Ecr> {
  double = await startEcr({ tls: false, quotas: 'none', ...options })
  return double
}

const run = (registry: Ecr): Promise<Outcome> => {
  const place = [
    '--registry',
    registry.registry,
    '--endpoint-url',
    registry.endpoint,
    '--region',
    registry.region,
  ]
  const env = { ...registry.environment, XDG_STATE_HOME: folder, HOME: folder }
  return runShell(['import', bundle.file, ...place, '--values', join(folder, 'v.yaml'), '--quiet'], { env })
}

test.each(['PutImage', 'InitiateLayerUpload', 'BatchGetImage', 'CompleteLayerUpload'] as const)(
  'a denial at the registry names the action, and the remedy works: %s',
  async (action) => {
    const registry = await start({ denied: [action] })
    const refused = await run(registry)
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain(`allow ecr:${action} for this identity in ${registry.region}`)
    registry.allow(action)
    expect((await run(registry)).code).toBe(0)
  },
)

test('a quota is no matter of permissions', async () => {
  const registry = await start()
  registry.faults.add({
    on: { plane: 'dkr', action: 'PutImage' },
    fault: {
      kind: 'status',
      status: 403,
      body: JSON.stringify({
        errors: [{ code: 'DENIED', message: 'The repository has reached its limit of 100000 images' }],
      }),
    },
    times: 99,
  })
  const refused = await run(registry)
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('raise the quota in Service Quotas')
  expect(refused.stderr).not.toMatch(/log in|credentials/)
})

test.each([
  [
    'User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: ecr:PutImage on resource: r because no VPC endpoint policy allows the ecr:PutImage action',
    'allow ecr:PutImage in the policy of the VPC endpoint',
  ],
  [
    'User: u is not authorized to perform: ecr:PutImage on resource: r with an explicit deny in a service control policy',
    'it is the service control policy that blocks ecr:PutImage',
  ],
  ['The KMS key is disabled', 'whether the KMS key of the repository is enabled'],
  ['The upload cannot be completed because it does not have any parts', 'ECR cannot store an empty blob'],
])('%s', (words, next) => {
  expect(adviceForEcr(words, 'eu-central-1')?.next).toContain(next)
})

test('words that say nothing of it are left to others', () => {
  expect(adviceForEcr('Requested image not found', 'eu-central-1')).toBeUndefined()
})
