import { describe, expect, test } from 'vitest'
import { awsConfig } from '../../src/aws/config/config.ts'
import { credentialSource } from '../../src/aws/environment.ts'
import { awsError, isException } from '../../src/aws/errors.ts'
import { BundleError } from '../../src/lib/errors.ts'

const facts = {
  action: 'ecr:PutImage',
  endpoint: 'api.ecr.eu-central-1.amazonaws.com',
  region: 'eu-central-1',
  aws: awsConfig({}),
}

const thrown = (name: string, message: string, more: object = {}) =>
  Object.assign(new Error(message), { name }, more)

describe('awsError', () => {
  test.each([
    [
      'CredentialsProviderError',
      'Could not load credentials from any providers',
      {},
      'auth',
      'the default profile, then the role of this EC2 instance',
    ],
    [
      'CredentialsProviderError',
      'The SSO session associated with this profile has expired. To refresh this SSO session run aws sso login with the corresponding profile.',
      { AWS_PROFILE: 'prod' },
      'auth',
      'run: aws sso login --profile prod',
    ],
    [
      'TokenProviderError',
      "Token is expired. To refresh this SSO session run 'aws sso login' with the corresponding profile.",
      {},
      'auth',
      'run: aws sso login',
    ],
    [
      'CredentialsProviderError',
      'Could not resolve credentials using profile: [x] in configuration/credentials file(s). Profile x could not be found',
      { AWS_PROFILE: 'x' },
      'auth',
      'aws configure list --profile x',
    ],
    ['ProviderError', 'Error response received from instance metadata service', {}, 'auth', 'hop limit'],
    [
      'ExpiredTokenException',
      'The security token included in the request is expired',
      { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SESSION_TOKEN: 'c' },
      'auth',
      'AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN',
    ],
    [
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
      { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' },
      'auth',
      'of the partition that eu-central-1 is in',
    ],
    [
      'SignatureDoesNotMatch',
      'Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z',
      {},
      'auth',
      'compare the clock',
    ],
    ['InvalidSignatureException', 'Signature not yet current: 1', {}, 'auth', 'compare the clock'],
    ['RequestExpired', 'Request has expired.', {}, 'auth', 'compare the clock'],
    [
      'AccessDeniedException',
      'User: arn:aws:iam::1:user/x is not authorized to perform: ecr:PutImage on resource: arn:aws:ecr:… because no VPC endpoint policy allows the ecr:PutImage action',
      {},
      'auth',
      'policy of the VPC endpoint',
    ],
    [
      'AccessDeniedException',
      'User: x is not authorized to perform: ecr:PutImage with an explicit deny in a service control policy',
      {},
      'auth',
      'service control policy that blocks',
    ],
    [
      'AccessDeniedException',
      'User: x is not authorized to perform: ecr:PutImage because no identity-based policy allows the ecr:PutImage action',
      {},
      'auth',
      'ma-bundle iam-policy',
    ],
    ['ThrottlingException', 'Rate exceeded', {}, 'network', 'to resume where it stopped'],
    [
      'LimitExceededException',
      'The operation did not succeed because it would have exceeded a service limit',
      {},
      'failed',
      'Service Quotas',
    ],
    [
      'TimeoutError',
      'Connection timed out after 10000 ms',
      {},
      'network',
      'interface endpoint ecr.api of eu-central-1',
    ],
  ])('%s: %s', (name, message, env, kind, next) => {
    const error = awsError(thrown(name, message), { ...facts, aws: awsConfig(env) })
    expect(error).toMatchObject({ kind, next: expect.stringContaining(next) })
    expect(error.where).toContain('eu-central-1')
    expect(isException(error, name)).toBe(true)
    expect(error.next).not.toMatch(/\.$/)
  })

  test.each([
    ['ENOTFOUND', { hostname: 'api.ecr.eu-central-1.amazonaws.com' }, 'host name not found', 'ecr.api'],
    ['ENOTFOUND', { hostname: 'sts.eu-central-1.amazonaws.com' }, 'host name not found', 'endpoint sts of'],
    ['ECONNREFUSED', {}, 'connection was refused', 'ecr.api'],
    ['CERT_HAS_EXPIRED', {}, 'certificate has expired', 'clock'],
    ['SELF_SIGNED_CERT_IN_CHAIN', {}, 'CA that is not trusted', '--ca-file'],
  ])('%s %o is told as the network it is', (code, more, message, next) => {
    const error = awsError(thrown('Error', `${code} 10.0.0.1:443`, { code, ...more }), facts)
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringContaining(message),
      next: expect.stringContaining(next),
    })
  })

  test('takes a failure of AWS for one that passes, and an answer that is none for what it is', () => {
    const answered = (name: string, message: string, httpStatusCode: number) =>
      awsError(thrown(name, message, { $metadata: { httpStatusCode } }), facts)
    expect(answered('ServerException', 'internal', 500)).toMatchObject({ kind: 'network' })
    expect(answered('Unknown', 'UnknownError', 403).message).toContain('(with 403) is not AWS')
    expect(answered('SyntaxError', 'JSON Parse error', 200).message).toContain('(with 200) is not AWS')
  })

  test('keeps a path of this machine to itself', () => {
    const error = awsError(
      thrown('Error', "ENOENT: no such file, open '/home/me/token'", { code: 'ENOENT' }),
      facts,
    )
    expect(error.kind).toBe('auth')
    expect(error.message).not.toContain('/home/me')
  })

  test('keeps what is already said, and the words of AWS for what it does not know', () => {
    const told = new BundleError('told', { kind: 'integrity' })
    expect(awsError(told, facts)).toBe(told)
    const other = awsError(thrown('KmsException', 'the key is disabled'), {
      ...facts,
      where: 'repository a/b',
    })
    expect(other).toMatchObject({ kind: 'failed', where: 'repository a/b' })
    expect(other.message).toBe('ecr:PutImage failed: the key is disabled (KmsException)')
  })
})

describe('credentialSource', () => {
  test.each([
    [{ AWS_PROFILE: 'x', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }, 'profile x'],
    [{ AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' }, 'AWS_ACCESS_KEY_ID'],
    [
      { AWS_WEB_IDENTITY_TOKEN_FILE: '/var/run/token', AWS_ROLE_ARN: 'arn:aws:iam::1:role/r' },
      'arn:aws:iam::1:role/r',
    ],
    [{ AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials' }, 'Pod Identity'],
    [{ AWS_PROFILE: '' }, 'EC2 instance'],
  ])('%o', (env, expected) => {
    const source = credentialSource(awsConfig(env))
    expect(source).toContain(expected)
    expect(source).not.toContain('/var/run')
  })
})
