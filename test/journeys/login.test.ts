import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chartIndex } from '../support/charts.ts'
import { runCli } from '../support/cli.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { layerOf } from '../support/images.ts'

let folder: string
let one: DockerRegistry
let other: DockerRegistry

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'login-'))
  one = await startDockerRegistry({ user: { username: 'ann', password: 'first' } })
  other = await startDockerRegistry({ user: { username: 'bob', password: 'second word' } })
})
afterAll(async () => {
  await Promise.all([one.stop(), other.stop()])
  await rm(folder, { recursive: true })
})

/** Asks both for an image that neither has: who is let in is told 404. */
async function asking(stdin: string) {
  await writeFile(join(folder, 'spec.yaml'), `images: ['${one.host}/a/x:1', '${other.host}/b/y:1']`)
  const users = [`${one.host}=ann`, `${other.host}=bob`].flatMap((user) => ['--username', user])
  const args = ['export', 'x.tar', '--spec', 'spec.yaml', '--password-stdin', ...users]
  return runCli(args, { cwd: folder, stdin })
}

describe('a chart repository behind a login', () => {
  const metadata = { apiVersion: 'v2', name: 'web', version: '1.2.3' }
  const chart = { ...metadata, metadata, tgz: layerOf({ 'web/Chart.yaml': JSON.stringify(metadata) }) }

  it('is told the user, and no other host that its index names', async () => {
    const seen: (string | null)[] = []
    const far = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch({ headers }) {
        seen.push(headers.get('authorization'))
        return new Response(new Uint8Array(chart.tgz))
      },
    })
    const index = chartIndex([chart]).replace('web-1.2.3.tgz', `${far.url.href}web.tgz`)
    const near = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: ({ headers }) =>
        headers.get('authorization') === `Basic ${btoa('ann:s3cr3t!')}`
          ? new Response(index)
          : new Response('who are you', { status: 401 }),
    })
    await writeFile(join(folder, 'charts.yaml'), `charts: ['web|1.2.3|${near.url.origin}']`)
    const args = ['export', 'charts.tar', '--spec', 'charts.yaml', '--no-prove']
    const stranger = await runCli(args, { cwd: folder })
    expect(stranger.stderr).toContain('answers 401: who are you')
    expect(stranger.stderr).toContain('--username host=name')
    const user = ['--username', `${near.url.host}=ann`, '--password-stdin']
    const { code, stderr } = await runCli([...args, ...user], { cwd: folder, stdin: 's3cr3t!' })
    await Promise.all([near.stop(), far.stop()])
    expect(stderr).not.toContain('s3cr3t!')
    expect(code).toBe(0)
    expect(seen).toEqual([null])
  })
})

describe('several users', () => {
  it('have their passwords on standard input, one a line', async () => {
    const { code, stderr } = await asking('first\nsecond word\n')
    expect(stderr).not.toContain('401')
    expect(stderr).toContain(`${one.host} answered 404`)
    expect(stderr).toContain(`${other.host} answered 404`)
    expect(code).toBe(1)
  })

  it('are not mixed up when a line is missing', async () => {
    const { code, stderr } = await asking('first\n')
    expect(stderr).toContain('--password-stdin read 1 line for 2 users')
    expect(code).toBe(2)
  })
})
