import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectClearFailure } from '../support/clear-message.ts'
import { runCli } from '../support/cli.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { startEcr } from '../support/ecr/server.ts'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { startSource } from '../support/source.ts'

const layer = layerOf({ data: noise(3_000_000, 1) })
let folder: string
let target: DockerRegistry
let name: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bad-import-'))
  target = await startDockerRegistry()
  const source = await startSource({ images: { 'team/app:1': buildImage([layer]) } })
  name = `${source.host}/team/app:1`
  await writeFile(join(folder, 'spec.yaml'), `images: ["${name}"]\n`)
  const exported = await runCli(['export', 'good.tar', '--spec', 'spec.yaml'], { cwd: folder })
  expect(exported.code, exported.stderr).toBe(0)
  await source.stop()
})
afterAll(async () => {
  await target.stop()
  await rm(folder, { recursive: true })
})

const run = (...args: readonly string[]) => runCli(args, { cwd: folder })
const importing = (bundle: string, registry = target.host) => run('import', bundle, '--registry', registry)

/** What the target registry holds. */
async function repositories(): Promise<unknown> {
  const answer = await fetch(`http://${target.host}/v2/_catalog`)
  return answer.json()
}

async function withServer(
  status: number,
  body: string,
  work: (host: string) => Promise<void>,
): Promise<void> {
  const server: Server = createServer((_, response) => {
    response.writeHead(status, { 'content-type': 'text/html' }).end(body)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve())
  })
  try {
    await work(`127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

describe('import tells clearly of', () => {
  it('a slip in the name, and a folder in the place of a file', async () => {
    expectClearFailure(await importing('god.tar'), {
      code: 2,
      says: ['no such file', 'where: god.tar', 'did you mean good.tar?'],
    })
    expectClearFailure(await importing('elsewhere.iso'), {
      code: 2,
      says: ['check the name, and that its medium'],
    })
    expectClearFailure(await importing('.'), {
      code: 2,
      says: ['it is a folder', 'name a file in it: good.tar'],
    })
  })

  it('a bundle that somebody compressed', async () => {
    const whole = await readFile(join(folder, 'good.tar'))
    await writeFile(join(folder, 'packed.tar.gz'), gzipSync(whole, { level: 1 }))
    expectClearFailure(await importing('packed.tar.gz'), {
      code: 5,
      says: ['it is compressed with gzip', 'next:  unpack it first: gunzip'],
    })
    await writeFile(join(folder, 'packed.zst'), Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3]))
    expectClearFailure(await run('inspect', 'packed.zst'), { code: 5, says: ['compressed with zstd'] })
  })

  it('a target that is a web site', () =>
    withServer(200, '<html><h1>Welcome</h1></html>', async (host) => {
      const says = [`${host} does not look like a registry`, 'HTML', 'check the host']
      expectClearFailure(await importing('good.tar', host), { code: 1, says })
    }))

  it('a target that knows no /v2/', () =>
    withServer(404, '<html>nothing here</html>', async (host) => {
      const says = [`${host} does not look like a registry`, 'check the host']
      expectClearFailure(await importing('good.tar', host), { code: 1, says })
    }))

  it('a target where nothing listens', async () => {
    const says = ['127.0.0.1:1: the connection was refused', 'check the host and the port']
    expectClearFailure(await importing('good.tar', '127.0.0.1:1'), { code: 4, says })
  })

  it('a name that only looks like ECR', async () => {
    const outcome = await importing('good.tar', '123.dkr.ecr.eu-central-1.amazonaws.com')
    expect(outcome.code).toBe(2)
    expect(outcome.stderr).toMatch(/not an ECR registry: an AWS account has 12 digits, "123" has 3/)
  })

  it('wrong AWS credentials, without showing them', async () => {
    const ecr = await startEcr({ tls: false })
    const env = { ...ecr.environment, AWS_SECRET_ACCESS_KEY: 'a-wrong-secret' }
    const args = ['import', 'good.tar', '--registry', ecr.registry, '--endpoint-url', ecr.endpoint]
    const outcome = await runCli(args, { cwd: folder, env })
    const repositoriesMade = ecr.repositories().length
    await ecr.stop()
    expectClearFailure(outcome, { code: 3, says: [/signature|credentials/i] })
    expect(outcome.stderr).not.toContain('a-wrong-secret')
    expect(repositoriesMade).toBe(0)
  })

  it('credentials that may log in and read but not push', async () => {
    const ecr = await startEcr({ tls: false, denied: ['InitiateLayerUpload'] })
    const args = ['import', 'good.tar', '--registry', ecr.registry, '--endpoint-url', ecr.endpoint]
    const outcome = await runCli(args, { cwd: folder, env: ecr.environment })
    const tags = ecr.tags()
    await ecr.stop()
    expectClearFailure(outcome, { code: 3, says: ['ecr:InitiateLayerUpload'] })
    expect(tags).toEqual({})
  })
})

describe('a bundle that is none is refused, and nothing is pushed:', () => {
  const contents: readonly (readonly [string, string | Uint8Array])[] = [
    ['a text', 'hello world\n'.repeat(1000)],
    ['an empty file', ''],
    ['a file of zeros', new Uint8Array(20_480)],
    ['a gzip file', layer],
    ['noise', noise(100_000, 7)],
  ]
  it.each(contents)('%s', async (_, content) => {
    await writeFile(join(folder, 'none.tar'), content)
    for (const outcome of [
      await run('inspect', 'none.tar'),
      await run('verify', 'none.tar'),
      await importing('none.tar'),
    ]) {
      expectClearFailure(outcome, { code: 5, says: ['not a bundle'] })
    }
    expect(await repositories()).toEqual({ repositories: [] })
  })

  it('another tar', async () => {
    await runProgram('tar', ['-cf', 'other.tar', 'spec.yaml'], { cwd: folder })
    expectClearFailure(await importing('other.tar'), { code: 5, says: ['not a bundle'] })
  })

  it('a file that is not there', async () => {
    const outcome = await importing('nowhere.tar')
    expect(outcome.code).toBe(2)
    expect(outcome.stderr).toMatch(/^error: cannot read the bundle: no such file\n +where: nowhere.tar/)
  })

  it('a bundle that was cut off', async () => {
    const whole = await readFile(join(folder, 'good.tar'))
    await writeFile(join(folder, 'cut.tar'), whole.subarray(0, 1_000_000))
    const says = [`it has 1000000 bytes and needs ${whole.length}`, 'copy it again']
    expectClearFailure(await importing('cut.tar'), { code: 5, says })
    expectClearFailure(await run('verify', 'cut.tar'), { code: 5, says })
    expect(await repositories()).toEqual({ repositories: [] })
  })

  it('a bundle with one wrong bit in a layer', async () => {
    const bytes = await readFile(join(folder, 'good.tar'))
    const at = bytes.indexOf(layer.subarray(1000, 1064))
    expect(at).toBeGreaterThan(0)
    bytes[at] = (bytes[at] ?? 0) ^ 1
    await writeFile(join(folder, 'flipped.tar'), bytes)
    expectClearFailure(await importing('flipped.tar'), { code: 5, says: [name] })
    const checked = await run('verify', 'flipped.tar')
    expect(checked.code).toBe(5)
    expect(checked.stdout).toMatch(/^blobs\/sha256\/[0-9a-f]{64} at byte \d+: /)
    const tags = await fetch(
      `http://${target.host}/v2/mirrored/${name.replace(':', '-').split(':')[0]}/tags/list`,
    )
    expect(tags.status).toBe(404)
  })
})
