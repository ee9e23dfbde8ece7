import { expect, test } from 'vitest'
import { awsArgs, awsConfigs } from '../../../src/cli/flags/aws.ts'
import { catalogOf } from '../../../src/cli/table.ts'
import { commands } from '../../../src/commands/table.ts'

const ROLE = 'arn:aws-us-gov:iam::123456789012:role/path/importer'
const OTHER = 'arn:aws:iam::210987654321:role/reader'
/** No files of AWS anywhere. */
const env = { HOME: '/nowhere' }

test('a flag without a side is for all, one with a side for that one', async () => {
  const aws = awsConfigs(env, {
    roleArn: [ROLE, `source=${OTHER}`],
    externalId: ['registry=x:1'],
    roleSessionName: ['nightly'],
  })
  expect((await aws('registry')).role).toEqual({ arn: ROLE, externalId: 'x:1', sessionName: 'nightly' })
  expect((await aws('source')).role).toEqual({ arn: OTHER, sessionName: 'nightly' })
  expect((await aws('bundle')).role).toEqual({ arn: ROLE, sessionName: 'nightly' })
  expect(await aws('bundle')).toBe(await aws('bundle'))
})

test('without flags there is no role, and nothing chosen', async () => {
  expect(await awsConfigs(env)('registry')).toMatchObject({ role: undefined, isChosen: false })
})

test.each([
  [{ roleArn: ['importer'] }, 'is not a role; write arn:aws:iam::<account>:role/<name>'],
  [{ roleArn: [`target=${ROLE}`] }, 'is not a role'],
  [{ roleArn: [ROLE, OTHER] }, '--role-arn is given twice for all sides'],
  [{ roleArn: [`source=${ROLE}`, `source=${OTHER}`] }, '--role-arn is given twice for source'],
  [{ externalId: ['x-1'] }, '--external-id and --role-session-name go with --role-arn'],
  [{ roleArn: [ROLE], externalId: ['a b'] }, 'is not an external id'],
  [{ roleArn: [ROLE], roleSessionName: ['a/b'] }, 'is not the name of a session'],
  [{ profile: ['source=nobody'] }, 'there is no AWS profile "nobody"'],
])('%o is refused: %s', async (args, message) => {
  await expect(awsConfigs(env, args)('source')).rejects.toMatchObject({
    kind: 'usage',
    message: expect.stringContaining(message),
  })
})

test('every command that may read a bundle out of S3 knows them', async () => {
  const specs = await catalogOf(commands).specs()
  const lacking = specs
    .filter(({ args }) => 'bundle' in args || 'bundles' in args)
    .filter(({ args }) => Object.keys(awsArgs).some((name) => !(name in args)))
  // It prints a policy about a bundle, and reads none.
  expect(lacking.map(({ name }) => name)).toEqual(['iam-policy'])
})
