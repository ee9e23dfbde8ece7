import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { runShell } from '../support/shell.ts'

const registry = '123456789012.dkr.ecr.us-gov-west-1.amazonaws.com'
const run = (...flags: string[]) => runShell(['iam-policy', '--registry', ...flags])

describe('iam-policy', () => {
  it('prints a policy that can be piped on', async () => {
    const { code, stdout, stderr } = await run(`${registry}/team`, '--prefix', 'images')
    expect([code, stderr]).toEqual([0, ''])
    const { Version, Statement } = JSON.parse(stdout)
    expect(Version).toBe('2012-10-17')
    expect(Statement[1].Resource).toEqual([
      'arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/team/images/*',
      'arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/team/charts/*',
    ])
    expect(stdout).toContain('ecr:CreateRepository')
    expect(stdout).not.toContain('ecr:ListTagsForResource')
  })

  it('adds what flags of the import need, and leaves out what others do', async () => {
    const more = await run(registry, '--with', 'tags', '--with', 'lifecycle-policy', '--kms-key', 'alias/ecr')
    for (const action of ['ecr:TagResource', 'ecr:PutLifecyclePolicy', 'kms:CreateGrant']) {
      expect(more.stdout).toContain(action)
    }
    expect(more.stdout).not.toContain('ecr:SetRepositoryPolicy')
    expect((await run(registry, '--no-create')).stdout).not.toContain('ecr:CreateRepository')
  })

  it('prints the policy of an export, which writes nothing', async () => {
    const { json } = await run(registry, '--for', 'export', '--json')
    expect(JSON.stringify(json)).toContain('ecr:BatchGetImage')
    expect(JSON.stringify(json)).not.toMatch(/Put|Create|Initiate|Upload/)
  })

  it('lets a bundle in S3 be read by an import, written by an export, and through the endpoint', async () => {
    const bundle = ['--bundle', 's3://my-bundles/a/b.tar']
    const objects = ['arn:aws-us-gov:s3:::my-bundles/a/b.tar', 'arn:aws-us-gov:s3:::my-bundles/a/b.tar.*']
    const last = async (...flags: string[]) =>
      JSON.parse((await run(registry, ...bundle, ...flags)).stdout).Statement.at(-1)
    expect(await last()).toEqual({
      Sid: 'ReadBundle',
      Effect: 'Allow',
      Action: ['s3:GetObject'],
      Resource: objects,
    })
    expect(await last('--for', 'export')).toMatchObject({ Sid: 'ForgetRecord', Resource: [objects[1]] })
    const { Resources } = parse((await run(registry, ...bundle, '--for', 'vpc-endpoints')).stdout)
    const { Statement } = Resources.S3Endpoint.Properties.PolicyDocument
    expect(Statement.map(({ Sid }: { Sid: string }) => Sid)).toEqual([
      'EcrLayers',
      'ReadBundle',
      'WriteBesideBundle',
    ])
    expect(Statement[1].Resource).toEqual(objects)
    const wrong = await run(registry, '--bundle', 'bundle.tar')
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('is no object of S3')])
  })

  it('lets an export know whether there is an unfinished one, and lets the key of the bundle be used', async () => {
    const of = async (...flags: string[]) => {
      const { stdout } = await run(
        registry,
        '--bundle',
        's3://my-bundles/k.tar',
        '--bundle-kms-key',
        'alias/x',
        ...flags,
      )
      const { Statement } = JSON.parse(stdout) as { Statement: { Action: string[]; Resource: string[] }[] }
      return Statement.map(({ Action, Resource }) => `${Action.join(' ')} on ${Resource.join(' ')}`)
    }
    const own = 'arn:aws-us-gov'
    expect(await of()).toContain(`kms:Decrypt on ${own}:kms:*:*:key/*`)
    const written = await of('--for', 'export')
    expect(written).toContain(`s3:ListBucket on ${own}:s3:::my-bundles`)
    expect(written).toContain(`kms:Decrypt kms:GenerateDataKey on ${own}:kms:*:*:key/*`)
  })

  it('prints CloudFormation for the VPC endpoints', async () => {
    const { code, stdout } = await run(registry, '--for', 'vpc-endpoints')
    expect(code).toBe(0)
    expect(Object.keys(parse(stdout).Resources)).toEqual([
      'EndpointSecurityGroup',
      'EcrApiEndpoint',
      'EcrDkrEndpoint',
      'S3Endpoint',
      'StsEndpoint',
    ])
  })

  it.each([
    ['quay.io', 'IAM is for ECR only'],
    [`${registry}.evil.example`, 'belongs to another owner'],
  ])('refuses %s', async (name, why) => {
    const { code, stdout, stderr } = await run(name)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(why)
  })
})
