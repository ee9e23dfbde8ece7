import { afterEach, beforeAll, afterAll, describe, expect, it } from 'vitest'
import { uploadLayer } from '../../src/aws/ecr/layers/upload.ts'
import { ensureRepository } from '../../src/aws/ecr/repositories.ts'
import type { Check } from '../../src/bundle/doctor/doctor.ts'
import { bytesOf } from '../../src/lib/bytes/bytes.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { openEcr } from '../support/ecr-client.ts'
import { startEcr, type Ecr as Double, type EcrOptions } from '../support/ecr/server.ts'
import { runShell } from '../support/shell.ts'

let double: Double | undefined
afterEach(async () => {
  await double?.stop()
  double = undefined
})

const start = async (options: EcrOptions = {}): Promise<Double> => (double = await startEcr(options))

const flagsFor = (server: Double): string[] => [
  '--registry',
  server.registry,
  '--region',
  server.region,
  '--endpoint-url',
  server.endpoint,
  '--ca-file',
  server.caFile,
]

async function examine(server: Double, env: Readonly<Record<string, string>> = server.environment) {
  const { code, json, stderr } = await runShell(['doctor', ...flagsFor(server), '--json'], { env })
  const result = json.at(-1)?.['result'] as { checks: Check[]; failures: number; warnings: number }
  const find = (name: string) => result.checks.filter((check) => check.name === name)
  return { code, stderr, ...result, find }
}

/** An image as small as they get, so that there is something to pull. */
async function pushImage(server: Double, repository: string): Promise<void> {
  const { ecr } = openEcr(server)
  await ensureRepository(ecr, repository)
  const content = new TextEncoder().encode('{}')
  const blob = { digest: digestOf(content), size: content.length }
  await uploadLayer(ecr, { repository, layer: blob, open: async (at) => bytesOf(content, at) })
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const part = { mediaType: 'application/vnd.oci.empty.v1+json', ...blob }
  const imageManifest = JSON.stringify({ schemaVersion: 2, mediaType, config: part, layers: [part] })
  await ecr.call('PutImage', (api) =>
    api.putImage({
      repositoryName: repository,
      imageManifest,
      imageManifestMediaType: mediaType,
      imageTag: '1',
    }),
  )
}

describe('doctor of ECR', () => {
  it('finds a sound registry sound, and leaves nothing there', async () => {
    const server = await start({ blobMounting: true })
    await pushImage(server, 'mirrored/x')
    const before = server.log.count('InitiateLayerUpload')
    const { code, failures, checks, find } = await examine(server)
    expect([code, failures]).toEqual([0, 0])
    expect(find('credentials')[0]?.detail).toContain(`:${server.account}:`)
    expect(find('login')[0]?.status).toBe('ok')
    expect(find('blob mounting')[0]?.detail).toContain('on:')
    expect(find('pulling layers (S3)')[0]).toMatchObject({
      status: 'ok',
      detail: `a blob of mirrored/x comes from ${new URL(server.downloadOrigin).host}`,
    })
    expect(find('permissions')[0]?.detail).toContain('CreateRepository')
    expect(server.repositories().map(({ name }) => name)).toEqual(['mirrored/x'])
    expect(server.repository('mirrored/x')?.images.size).toBe(1)
    // Tried where it can begin nothing: at repositories that do not exist.
    const tries = server.log.entries.filter(({ actions }) => actions.includes('InitiateLayerUpload'))
    expect(tries.slice(before).map(({ status }) => status)).toEqual([400, 400])
    expect(new Set(checks.map(({ status }) => status)).has('fail')).toBe(false)
  })

  it('says what it did not try, rather than that it is allowed', async () => {
    const { find } = await examine(await start())
    const said = find('permissions').map(({ status, detail }) => `${status} ${detail}`)
    expect(said.some((text) => text.startsWith('warn not tried: CreateRepository'))).toBe(true)
    expect(said.find((text) => text.startsWith('ok'))).not.toContain('CreateRepository')
  })

  it('names each permission that is missing; those for reading back are a warning', async () => {
    const server = await start({ denied: ['UploadLayerPart', 'ListImages'] })
    const { code, find } = await examine(server)
    expect(code).toBe(1)
    expect(find('permission ecr:UploadLayerPart')[0]).toMatchObject({ status: 'fail' })
    expect(find('permission ecr:UploadLayerPart')[0]?.fix).toContain('iam-policy')
    expect(find('permission ecr:ListImages')[0]?.status).toBe('warn')
  })

  it('is content where nobody may create but the repositories are there', async () => {
    const server = await start()
    await pushImage(server, 'mirrored/x')
    const { find } = await examine(server)
    expect(find('permission ecr:CreateRepository')).toEqual([])
  })

  it('stops at credentials that nobody knows, with the fix', async () => {
    const server = await start()
    const env = { ...server.environment, AWS_ACCESS_KEY_ID: 'AKIAUNKNOWNUNKNOWN00' }
    const { code, checks, find } = await examine(server, env)
    expect(code).toBe(1)
    expect(find('credentials')[0]).toMatchObject({ status: 'fail' })
    expect(find('credentials')[0]?.fix).toContain('AWS_ACCESS_KEY_ID')
    expect(checks.map(({ name }) => name)).not.toContain('permissions')
  })

  it('can do without STS', async () => {
    const server = await start()
    const { code, find } = await examine(server, {
      ...server.environment,
      AWS_ENDPOINT_URL_STS: 'https://127.0.0.1:9',
    })
    expect(code).toBe(0)
    expect(find('credentials')[0]).toMatchObject({ status: 'warn' })
    expect(find('login')[0]?.status).toBe('ok')
  })

  it('tells a wrong clock, and by how much', async () => {
    const { find } = await examine(await start({ clockSkewSeconds: 1200 }))
    expect(find('clock')[0]).toMatchObject({ status: 'warn', detail: expect.stringContaining('20 min slow') })
    expect(find('clock')[0]?.fix).toContain('time server')
  })

  it('finds the API that does not answer, and leaves out what hangs on it', async () => {
    const server = await start()
    const dead = { ...server, endpoint: 'https://127.0.0.1:9' }
    const { code, checks, find } = await examine(dead, server.environment)
    expect(code).toBe(1)
    expect(find('connection to the ECR API')[0]).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('refused'),
    })
    expect(find('the rest')[0]?.detail).toContain('ECR API')
    expect(checks.map(({ name }) => name)).not.toContain('login')
  })

  it('finds a certificate that is not trusted', async () => {
    const server = await start()
    const { NODE_EXTRA_CA_CERTS: _, ...env } = server.environment
    const flags = flagsFor(server).slice(0, -2)
    const { code, stdout } = await runShell(['doctor', ...flags], { env })
    expect(code).toBe(1)
    expect(stdout).toMatch(/^fail {2}connection to the registry: .*CA that is not trusted/m)
    expect(stdout).toMatch(/fix: .*--ca-file/)
  })

  it('takes the name of an emulator for ECR when it is told where the API is', async () => {
    const name = '123456789012.dkr.ecr.us-east-1.emulator.test:4566'
    expect((await runShell(['doctor', '--registry', name])).code).toBe(2)
    const flags = ['--registry', name, '--region', 'us-east-1', '--endpoint-url', 'http://127.0.0.1:9']
    const { code, stdout } = await runShell(['doctor', ...flags])
    expect(code).toBe(1)
    expect(stdout).toContain('is taken to be ECR in us-east-1')
  })

  it('prints a line for each check, and no secret', async () => {
    const server = await start()
    await pushImage(server, 'mirrored/x')
    const { code, stdout, stderr } = await runShell(['doctor', ...flagsFor(server)], {
      env: server.environment,
    })
    expect([code, stderr]).toEqual([0, ''])
    for (const line of stdout.split('\n').slice(0, -3))
      expect(line).toMatch(/^(ok {2}|warn|fail) {2}\S|^ {6}fix: /)
    expect(stdout).not.toMatch(/X-Amz-|Signature|Basic [A-Za-z0-9]/)
    expect(stdout).not.toContain(server.environment['AWS_SECRET_ACCESS_KEY'])
  })
})

describe('doctor of other registries', () => {
  let open: DockerRegistry
  let closed: DockerRegistry
  beforeAll(async () => {
    open = await startDockerRegistry()
    closed = await startDockerRegistry({ user: { username: 'me', password: 'secret-of-mine' } })
  })
  afterAll(async () => Promise.all([open.stop(), closed.stop()]))

  it('looks at the network and the login only', async () => {
    const { code, stdout } = await runShell(['doctor', '--registry', open.host])
    expect(code).toBe(0)
    expect(stdout).toContain('is an OCI registry, not ECR')
    expect(stdout).toMatch(/^ok {4}login/m)
    expect(stdout).not.toContain('permissions')
  })

  it('tells that a login is needed, and takes one', async () => {
    const without = await runShell(['doctor', '--registry', closed.host])
    expect(without.code).toBe(1)
    expect(without.stdout).toMatch(/^fail {2}login: .*401/m)
    const login = ['--username', 'me', '--password-stdin']
    const { code, stdout } = await runShell(['doctor', '--registry', closed.host, ...login], {
      stdin: 'secret-of-mine',
    })
    expect(code).toBe(0)
    expect(stdout).not.toContain('secret-of-mine')
  })

  it('says that nothing answers', async () => {
    const { code, stdout } = await runShell(['doctor', '--registry', '127.0.0.1:9'])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^fail {2}connection to the registry/m)
  })
})
