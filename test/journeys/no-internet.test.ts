import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli, type CliOutcome } from '../support/cli.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import * as fault from '../support/registry/faults.ts'

const HOSTS = ['quay.io', 'ghcr.io', 'gcr.io', 'registry.k8s.io']
const listOf = (hosts: readonly string[]): string =>
  `images: [${hosts.flatMap((host) => [1, 2, 3, 4, 5].map((at) => `"${host}/team/app${at}:1"`)).join(', ')}]\n`

let folder: string
const running: RegistryDouble[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'no-internet-'))
})
afterAll(async () => {
  await Promise.all(running.map((double) => double.stop()))
  await rm(folder, { recursive: true })
})

async function exported(
  spec: string,
  env: Readonly<Record<string, string>> = {},
  ...more: readonly string[]
) {
  await writeFile(join(folder, 'spec.yaml'), spec)
  return runCli(['export', 'b.tar', '--spec', 'spec.yaml', '--no-prove', ...more], { cwd: folder, env })
}

/** One sentence and what to do, whatever number of things was wanted. */
function expectOneCause({ stderr }: CliOutcome, ...words: readonly string[]): void {
  const lines = stderr.split('\n').filter((line) => line !== '' && !/^(?:retry|resolving)/.test(line))
  expect(lines.filter((line) => line.startsWith('error:'))).toHaveLength(1)
  expect(lines, stderr).toHaveLength(2)
  for (const word of words) expect(stderr).toContain(word)
  expect(stderr.split('\n').filter((line) => line.startsWith('retry')).length, stderr).toBeLessThan(3)
}

describe('an export that cannot get out says so once', () => {
  const charts = 'charts: ["app|1.0.0|https://charts.example/stable", "app2|1.0.0|oci://ghcr.io/team"]\n'

  it.each([
    ['http', 'http://127.0.0.1:1', 'the connection was refused'],
    ['SOCKS', 'socks5://127.0.0.1:1', 'ECONNREFUSED'],
  ])('when the %s proxy is not there', async (_, proxy, words) => {
    const outcome = await exported(`${listOf(HOSTS)}${charts}`, { HTTPS_PROXY: proxy })
    expect(outcome.code, outcome.stderr).toBe(4)
    expectOneCause(outcome, 'the proxy 127.0.0.1:1 lets nothing through to', words, 'HTTPS_PROXY names it')
  })

  it('and lists everything in its JSON, and with --verbose', async () => {
    const env = { HTTPS_PROXY: 'http://127.0.0.1:1' }
    const json = await exported(listOf(HOSTS), env, '--json')
    const error = json.stderr
      .split('\n')
      .concat(json.stdout.split('\n'))
      .find((line) => line.includes('"type":"error"'))
    expect(JSON.parse(error ?? '{}')).toMatchObject({
      kind: 'network',
      failures: expect.arrayContaining([expect.objectContaining({ name: 'quay.io/team/app1:1' })]),
    })
    const verbose = await exported(listOf(HOSTS), env, '--verbose')
    for (const host of HOSTS) expect(verbose.stderr).toContain(`${host}/team/app5:1`)
  })

  it('when a login page answers for every host', async () => {
    const portals = await Promise.all([1, 2, 3].map(() => startDouble()))
    running.push(...portals)
    for (const portal of portals) {
      const page = '<!doctype html><title>Sign in to the network</title>'
      portal.addFault({ on: /./, change: fault.status(200, page, { 'content-type': 'text/html' }) })
    }
    const outcome = await exported(listOf(portals.map(({ host }) => host)))
    expect(outcome.code).toBe(1)
    expectOneCause(outcome, 'a web page answers in the place of', 'log in to the network with a browser')
    for (const portal of portals) portal.clearFaults()
    const after = await exported(listOf(portals.map(({ host }) => host)))
    expect(after.stderr).not.toContain('web page')
  })

  it('when a registry lets no more pulls through', async () => {
    const limited = await startDouble()
    running.push(limited)
    const words = 'You have reached your unauthenticated pull rate limit.'
    limited.addFault({ on: /manifests/, change: fault.tooMany({}, words) })
    const outcome = await exported(listOf([limited.host]))
    expect(outcome.code).toBe(4)
    expectOneCause(outcome, words, 'take the images from a mirror')
    expect(limited.requests.length).toBeLessThan(12)
  })

  it('and says nothing of the quota of a Docker Hub that was not reached', async () => {
    const outcome = await exported('images: ["nginx:1", "redis:7"]\n', { HTTPS_PROXY: 'http://127.0.0.1:1' })
    expect(outcome.code).toBe(4)
    expect(outcome.stderr).not.toContain('would count')
    expect(outcome.stderr).not.toContain('does not meter')
  })

  it('names what is missing when something was reached after all', async () => {
    const there = await startDouble()
    running.push(there)
    const outcome = await exported(`images: ["${there.host}/team/app:1", "quay.io/team/app:1"]\n`, {
      HTTPS_PROXY: 'http://127.0.0.1:1',
    })
    expect(outcome.stderr).toContain('image quay.io/team/app:1')
    expect(outcome.stderr).toContain(`image ${there.host}/team/app:1`)
  })
})

it('a machine without any network gets its one sentence from a real one', async () => {
  await writeFile(join(folder, 'spec.yaml'), listOf(HOSTS))
  const program = join(import.meta.dirname, '..', '..', 'src', 'cli.ts')
  const child = Bun.spawn(
    ['unshare', '-rn', process.execPath, program, 'export', 'b.tar', '--spec', 'spec.yaml', '--no-prove'],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', HOME: folder },
      stdout: 'pipe',
      stderr: 'pipe',
      stdin: 'ignore',
    },
  )
  const stderr = await new Response(child.stderr).text()
  const code = await child.exited
  expect(code, stderr).toBe(4)
  expectOneCause({ code, stderr, stdout: '' }, 'so nothing can be fetched', 'reaches the internet')
})
