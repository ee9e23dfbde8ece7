import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { commands } from '../../src/commands/table.ts'
import { runCli } from '../support/cli.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { helmBinary } from '../support/helm.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { runProgram } from '../support/program.ts'

let small: SmallBundle
let registry: DockerRegistry
let helm: string
const ecr = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'

beforeAll(async () => {
  small = await makeSmallBundle()
  registry = await startDockerRegistry()
  helm = await helmBinary(3)
  await runProgram('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', join(small.folder, 'key.pem')])
  writeFileSync(join(small.folder, 'chart.tgz'), small.chart)
  writeFileSync(
    join(small.folder, 'objects.json'),
    JSON.stringify({ kind: 'ConfigMap', metadata: { name: 'a' } }),
  )
})
afterAll(async () => {
  await Promise.all([small.remove(), registry.stop()])
})

/** One good command line of every command; `serve` goes on until it is stopped, and has tests of its own. */
const lines = (): Readonly<Record<string, readonly string[] | 'goes on'>> => ({
  plan: ['--spec', small.spec, '--no-prove', '--registry', registry.host],
  export: ['again.tar', '--spec', small.spec, '--no-prove'],
  import: [small.file, '--registry', registry.host],
  mirror: ['--spec', small.spec, '--no-prove', '--registry', registry.host],
  inspect: [small.file],
  verify: [small.file],
  extract: [small.file, '--output', 'out'],
  serve: 'goes on',
  merge: [small.file, small.file, '--output', 'merged.tar'],
  sign: [small.file, '--key', 'key.pem'],
  report: [small.file, '--output', 'about'],
  diff: [small.file, small.file],
  inventory: ['--registry', registry.host, '--bundle', small.file],
  rehearse: [small.file, '--registry', registry.host],
  check: ['objects.json', '--registry', registry.host],
  prune: ['--registry', registry.host, '--keep', small.file],
  lock: ['spec.lock.json', '--spec', small.spec],
  prove: [small.file, '--helm', helm],
  discover: ['chart.tgz', '--helm', helm],
  values: [small.file, '--registry', registry.host],
  'post-render': [small.file, '--registry', registry.host],
  doctor: ['--registry', registry.host],
  'iam-policy': ['--registry', ecr],
  schema: [],
  completion: ['bash'],
})

describe('--quiet', () => {
  it('is tried with every command', () => {
    expect(Object.keys(lines()).toSorted()).toEqual(Object.keys(commands).toSorted())
  })

  it.each(Object.keys(commands))(
    'leaves nothing but the result of %s, without a question, and a second run ends as the first did',
    async (name) => {
      const line = lines()[name]
      if (line === 'goes on' || line === undefined) return expect(name).toBe('serve')
      const run = () => runCli([name, ...line, '--quiet'], { cwd: small.folder })
      const first = await run()
      expect(first).toMatchObject({ code: 0, stderr: '' })
      const second = await run()
      expect(second).toMatchObject({ code: 0, stderr: '' })
      // Only what was done differs: nothing is left to do.
      if (!changing.has(name)) expect(steady(second.stdout)).toBe(steady(first.stdout))
    },
  )

  it.each(['export', 'import', 'mirror', 'merge', 'sign', 'report'])(
    'is one line for the work of %s, and one object with --json',
    async (name) => {
      const line = lines()[name]
      if (line === 'goes on' || line === undefined) throw new Error(`${name} has no line`)
      const text = await runCli([name, ...line, '--quiet'], { cwd: small.folder })
      expect(text).toMatchObject({ code: 0, stderr: '' })
      expect(text.stdout).toMatch(/^[^\n]+\n$/)
      const json = await runCli([name, ...line, '--quiet', '--json'], { cwd: small.folder })
      expect(json).toMatchObject({ code: 0, stderr: '' })
      expect(json.stdout).toMatch(/^\{"type":"result",[^\n]+\n$/)
    },
  )

  it('names no item twice in a pipe', async () => {
    const { host } = registry
    const run = await runCli(['import', small.file, '--registry', host, '--prefix', 'once'], {
      cwd: small.folder,
    })
    const log = run.stderr + run.stdout
    const places = [...log.matchAll(/\S+\/once\/\S+/g)].map(([place]) => place)
    expect(places.length).toBeGreaterThan(0)
    expect(places.length).toBe(new Set(places).size)
    expect(run.stderr).not.toContain(' pushed')
  })

  it('still tells what failed, with what to do next', async () => {
    const { code, stdout, stderr } = await runCli(['verify', 'none.tar', '--quiet'], { cwd: small.folder })
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^error: cannot read the bundle: no such file\n/)
    expect(existsSync(join(small.folder, 'none.tar'))).toBe(false)
  })
})

// --- internal ---

/** Commands whose second run finds done what the first did, and says so. */
const changing = new Set(['plan', 'export', 'import', 'mirror', 'lock'])

/** Times and the room on a disk are not the same twice. */
const steady = (text: string): string =>
  text.replaceAll(/\d+(\.\d+)? m?s\b/g, '<time>').replaceAll(/[\d.]+ [KMG]iB (are )?free/g, '<room> free')
