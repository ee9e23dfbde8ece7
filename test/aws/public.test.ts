import { awsConfig } from '../../src/aws/config/config.ts'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { publicEcrLogin } from '../../src/aws/ecr/public.ts'

/** ECR Public's API has one action that matters here, and no double: this plays that action over plain http. */
let server: Server
let asked: { target: string; authorization: string }[]
let answer: { status: number; body: unknown }

beforeEach(async () => {
  asked = []
  answer = {
    status: 200,
    body: {
      authorizationData: { authorizationToken: btoa('AWS:public'), expiresAt: Date.now() / 1000 + 43_200 },
    },
  }
  server = createServer((request, response) => {
    const { 'x-amz-target': target, authorization = '' } = request.headers
    asked.push({ target: String(target), authorization })
    response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1' })
    response.end(JSON.stringify(answer.body))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
})
afterEach(async () => new Promise((done) => server.close(done)))

const env = () => ({
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  AWS_REGION: 'eu-central-1',
  AWS_ENDPOINT_URL_ECR_PUBLIC: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
})

test('logs in once, in us-east-1 wherever it runs, and gives Basic for the token endpoint', async () => {
  const login = await publicEcrLogin({ aws: awsConfig(env()) })
  expect(await login?.()).toEqual({ authorization: `Basic ${btoa('AWS:public')}` })
  expect(asked).toHaveLength(1)
  expect(asked[0]?.target).toBe('SpencerFrontendService.GetAuthorizationToken')
  expect(asked[0]?.authorization).toContain('/us-east-1/ecr-public/aws4_request')
})

test('stays anonymous without a word of error when the credentials are refused', async () => {
  answer = {
    status: 403,
    body: { __type: 'AccessDeniedException', message: 'no identity-based policy allows it' },
  }
  const reasons: string[] = []
  const login = await publicEcrLogin({ aws: awsConfig(env()), onAnonymous: (reason) => reasons.push(reason) })
  expect(login).toBeUndefined()
  expect(reasons).toHaveLength(1)
  expect(reasons[0]).toContain('no identity-based policy')
})

test('stays anonymous when nothing answers', async () => {
  const unreachable = { ...env(), AWS_ENDPOINT_URL_ECR_PUBLIC: 'http://127.0.0.1:9' }
  expect(await publicEcrLogin({ aws: awsConfig(unreachable) })).toBeUndefined()
})
