import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { awsConfig, caFilesOf, readAwsConfig, type AwsService } from '../../src/aws/config/config.ts'

const CONFIG = `
[default]
region = eu-central-1

[profile gov]
region = us-gov-west-1
use_fips_endpoint = true
use_dualstack_endpoint = false
ca_bundle = ~/inspecting.pem
endpoint_url = https://all.profile.example
services = inside

[services inside]
ecr =
  endpoint_url = https://ecr.profile.example
s3 =
  endpoint_url = https://s3.profile.example

[profile plain]
endpoint_url = https://all.profile.example
ignore_configured_endpoint_urls = true

[profile slip]
use_fips_endpoint = yes
`
const CREDENTIALS = `
[keys]
aws_access_key_id = AKIAEXAMPLEEXAMPLE00
aws_secret_access_key = secret
`

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'aws-config-'))
  await writeFile(join(folder, 'config'), CONFIG)
  await writeFile(join(folder, 'credentials'), CREDENTIALS)
})
afterEach(() => rm(folder, { recursive: true }))

const env = (more: Record<string, string> = {}): Record<string, string> => ({
  HOME: folder,
  AWS_CONFIG_FILE: join(folder, 'config'),
  AWS_SHARED_CREDENTIALS_FILE: join(folder, 'credentials'),
  ...more,
})
const SERVICES: readonly AwsService[] = ['ECR', 'ECR_PUBLIC', 'KMS', 'S3', 'STS']

describe('readAwsConfig', () => {
  test('takes everything from the profile that a flag or a variable names', async () => {
    const named = await readAwsConfig(env({ AWS_PROFILE: 'gov' }))
    const chosen = await readAwsConfig(env({ AWS_PROFILE: 'keys' }), { profile: 'gov' })
    for (const config of [named, chosen]) {
      expect(config).toMatchObject({
        profile: 'gov',
        region: 'us-gov-west-1',
        variant: { fips: true, dualStack: false },
        caFile: join(folder, 'inspecting.pem'),
      })
      expect(SERVICES.map((service) => config.endpoint(service))).toEqual([
        'https://ecr.profile.example',
        'https://all.profile.example',
        'https://all.profile.example',
        'https://s3.profile.example',
        'https://all.profile.example',
      ])
    }
    expect([named.isChosen, chosen.isChosen]).toEqual([false, true])
    expect(caFilesOf(chosen, ['own.pem'])).toEqual(['own.pem', join(folder, 'inspecting.pem')])
  })

  test('lets variables count before the profile', async () => {
    const config = await readAwsConfig(
      env({
        AWS_PROFILE: 'gov',
        AWS_REGION: 'us-gov-east-1',
        AWS_USE_FIPS_ENDPOINT: 'False',
        AWS_USE_DUALSTACK_ENDPOINT: 'TRUE',
        AWS_CA_BUNDLE: '/etc/ca.pem',
        AWS_ENDPOINT_URL: 'https://all.env.example',
        AWS_ENDPOINT_URL_KMS: 'https://kms.env.example',
      }),
    )
    expect(config).toMatchObject({
      region: 'us-gov-east-1',
      variant: { fips: false, dualStack: true },
      caFile: '/etc/ca.pem',
    })
    expect(config.endpoint('KMS')).toBe('https://kms.env.example')
    expect(config.endpoint('ECR')).toBe('https://all.env.example')
  })

  test('reads the default profile, both files, and does without any', async () => {
    expect((await readAwsConfig(env())).region).toBe('eu-central-1')
    expect((await readAwsConfig(env(), { profile: 'keys' })).profile).toBe('keys')
    const none = await readAwsConfig({ HOME: join(folder, 'nowhere') })
    expect(none).toMatchObject({ profile: undefined, region: undefined, caFile: undefined })
    expect(none.endpoint('S3')).toBeUndefined()
  })

  test('ignores endpoints when told so, in either place', async () => {
    expect((await readAwsConfig(env(), { profile: 'plain' })).endpoint('ECR')).toBeUndefined()
    const ignoring = env({ AWS_PROFILE: 'gov', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' })
    expect((await readAwsConfig(ignoring)).endpoint('ECR')).toBeUndefined()
  })

  test('refuses what would pass in silence', async () => {
    await expect(readAwsConfig(env(), { profile: 'gvo' })).rejects.toMatchObject({
      kind: 'usage',
      message: 'there is no AWS profile "gvo"',
    })
    await expect(readAwsConfig(env({ AWS_PROFILE: 'slip' }))).rejects.toMatchObject({
      kind: 'usage',
      message: 'use_fips_endpoint is "yes", which is neither true nor false',
    })
    await expect(readAwsConfig({ AWS_USE_FIPS_ENDPOINT: '1' })).rejects.toMatchObject({
      next: 'set AWS_USE_FIPS_ENDPOINT to true or false',
    })
    expect(() => awsConfig({ AWS_ENDPOINT_URL_STS: 'sts.example' }).endpoint('STS')).toThrow('not a URL')
  })
})
