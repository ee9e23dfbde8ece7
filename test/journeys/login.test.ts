import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../support/cli.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'

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
