import Ajv from 'ajv/dist/2020.js'
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describedCommands } from '../../src/cli/schema/json-schema.ts'
import { commands } from '../../src/commands/table.ts'
import { helmBinary } from '../support/helm.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { checkJsonLines } from '../support/schema.ts'
import { startServe } from '../support/serve.ts'
import { runShell, type Outcome } from '../support/shell.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

let folder: string
let small: SmallBundle
let target: RegistryDouble
let helm: string
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'schema-'))
  ;[small, target, helm] = await Promise.all([makeSmallBundle(), startDouble(), helmBinary(4)])
  copyFileSync(small.file, at('bundle.tar'))
  const image = `${target.host}/mirrored/${small.source.host.replace(':', '-')}/team/two:2`
  writeFileSync(
    at('objects.json'),
    JSON.stringify({
      kind: 'Pod',
      spec: { containers: [{ name: 'a', image }] },
      status: { phase: 'Running' },
    }),
  )
  execFileSync('/usr/bin/openssl', ['genpkey', '-algorithm', 'ed25519', '-out', at('key.pem')])
})
afterAll(async () => {
  await Promise.all([small.remove(), target.stop()])
  rmSync(folder, { recursive: true })
})

/** Every command with flags that make it succeed, all of a kind of result in one list. */
const runs: Readonly<Record<string, () => readonly (readonly string[])[]>> = {
  plan: () => [
    ['--spec', small.spec],
    ['--spec', small.spec, '--against', at('bundle.tar'), '--registry', target.host],
  ],
  export: () => [
    [at('new.tar'), '--spec', small.spec],
    [at('new.tar'), '--spec', small.spec, '--dry-run'],
  ],
  import: () => [
    [at('bundle.tar'), '--registry', target.host, '--values', at('values.yaml')],
    [at('bundle.tar'), '--registry', target.host, '--values', at('values.yaml'), '--rehearse'],
  ],
  mirror: () => [
    ['--spec', small.spec, '--registry', target.host, '--values', at('values.yaml')],
    ['--spec', small.spec, '--registry', target.host, '--dry-run'],
  ],
  inspect: () => [[at('bundle.tar')], [at('bundle.tar'), '--compare', small.file, '--html', at('page.html')]],
  verify: () => [[at('bundle.tar')], [at('bundle.tar'), '--registry', target.host]],
  extract: () => [[at('bundle.tar'), '--output', at('out')]],
  serve: () => [[at('bundle.tar')]],
  sign: () => [
    [at('bundle.tar'), '--key', at('key.pem')],
    [at('bundle.tar'), '--key', at('key.pem'), '--public-key-out', at('key.pub')],
  ],
  report: () => [[at('bundle.tar')]],
  merge: () => [[small.file, at('bundle.tar'), '--output', at('merged.tar')]],
  diff: () => [[small.file, at('bundle.tar')]],
  inventory: () => [['--registry', target.host, '--bundle', at('bundle.tar')]],
  rehearse: () => [[at('bundle.tar'), '--registry', target.host]],
  check: () => [[at('objects.json'), '--registry', target.host, '--bundle', at('bundle.tar')]],
  prune: () => [
    ['--registry', target.host, '--keep', at('bundle.tar')],
    ['--registry', target.host, '--keep', at('bundle.tar'), '--yes'],
  ],
  lock: () => [
    [at('lock.json'), '--spec', small.spec],
    [at('lock.json'), '--spec', small.spec, '--platform', 'linux/amd64'],
  ],
  prove: () => [[at('bundle.tar'), '--helm', helm]],
  discover: () => [
    [`web|1.2.3|http://${small.source.host}/charts`, '--helm', helm],
    ['--check', small.spec, '--helm', helm],
  ],
  values: () => [
    [at('bundle.tar'), '--registry', target.host],
    [at('bundle.tar'), '--registry', target.host, '--format', 'containerd'],
    [at('bundle.tar'), '--registry', target.host, '--format', 'k3s', '--output', at('nodes')],
  ],
  'post-render': () => [
    [at('bundle.tar'), '--registry', target.host],
    [at('bundle.tar'), '--registry', target.host, '--write-plugin', at('plugin')],
  ],
  doctor: () => [['--registry', target.host]],
  'iam-policy': () => [
    ['--registry', '123456789012.dkr.ecr.eu-west-1.amazonaws.com'],
    ['--registry', '123456789012.dkr.ecr.eu-west-1.amazonaws.com', '--for', 'vpc-endpoints'],
  ],
  schema: () => [[], ['import']],
  completion: () => [['bash']],
}

/** The lines a run wrote under `--json`: a pipe of manifests leaves stdout to them. */
const linesOf = ({ stdout, stderr }: Outcome): readonly Record<string, unknown>[] =>
  `${stdout}\n${stderr}`
    .split('\n')
    .filter((line) => line.startsWith('{"type"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)

async function runJson(command: string, args: readonly string[]): Promise<Outcome> {
  if (command !== 'serve') return runShell([command, ...args, '--json'], { stdin: 'image: busybox:1\n' })
  const served = await startServe(args[0] ?? '', folder)
  const { code, stdout } = await served.stop()
  checkJsonLines(stdout)
  return { code, stdout, stderr: '', json: [] }
}

describe('the schema', () => {
  it('describes the result of every command, and of nothing else', () => {
    expect(describedCommands().toSorted()).toEqual(Object.keys(commands).toSorted())
    expect(Object.keys(runs).toSorted()).toEqual(Object.keys(commands).toSorted())
  })

  it.each(Object.keys(commands))(
    'of %s holds for what the command writes, to the last key',
    async (command) => {
      for (const args of runs[command]?.() ?? []) {
        // runShell compares each line with the schema.
        const outcome = await runJson(command, args)
        const results = linesOf(outcome).filter(({ type }) => type === 'result')
        expect([outcome.code, results.length, results[0]?.['command']], outcome.stderr).toEqual([
          0,
          1,
          command,
        ])
      }
    },
  )

  it.each(Object.keys(commands))(
    'holds for the error of %s, with the exit code that it ends with',
    async (command) => {
      const outcome = await runShell([command, '--json', '--no-such-flag-anywhere'])
      expect(linesOf(outcome)).toEqual([
        expect.objectContaining({ type: 'error', kind: 'usage', exitCode: 2 }),
      ])
      expect(outcome.code).toBe(2)
    },
  )

  it('holds for an error of several items, and for a damaged bundle', async () => {
    const args = ['--spec', small.spec, '--platform', 'linux/s390x', '--json']
    const failed = await runShell(['export', at('other.tar'), ...args])
    expect(failed.code).toBe(1)
    expect(linesOf(failed).at(-1)).toMatchObject({ type: 'error', failures: [{}, {}] })
    const bytes = new Uint8Array(small.bytes)
    bytes[bytes.length - 5000] = (bytes[bytes.length - 5000] ?? 0) ^ 1
    await Bun.write(at('damaged.tar'), bytes)
    const damaged = await runShell(['verify', at('damaged.tar'), '--json'])
    expect([damaged.code, linesOf(damaged).at(-1)?.['kind']]).toEqual([5, 'integrity'])
    expect(linesOf(damaged).find(({ type }) => type === 'result')).toMatchObject({
      result: { damaged: [{}] },
    })
  })

  it('is what the command prints: whole, valid, and open to keys that come later', async () => {
    const { stdout } = await runShell(['schema', 'inspect'])
    const printed = JSON.parse(stdout) as { $defs: Record<string, unknown> }
    expect(Object.keys(printed.$defs)).not.toContain('import-result')
    const isLine = new Ajv({ strict: true }).compile(printed)
    const lines = linesOf(await runJson('inspect', [at('bundle.tar')]))
    expect(lines.map((line) => isLine(line))).toEqual(lines.map(() => true))
    expect(isLine({ ...lines.at(-1), later: 1 })).toBe(true)
    expect(isLine({ ...lines.at(-1), command: 'import' })).toBe(false)
    expect(isLine({ type: 'result', command: 'inspect', result: { bundle: 'x' } })).toBe(false)
    const every = JSON.parse((await runShell(['schema'])).stdout) as object
    expect(new Ajv({ strict: true }).compile(every)(lines.at(-1))).toBe(true)
    const wrong = await runShell(['schema', 'inpsect'])
    expect([wrong.code, wrong.stderr.includes('did you mean inspect?')]).toEqual([2, true])
  })
})

describe('the check of this suite', () => {
  it.each([
    ['{"type":"result","command":"nothing","result":{}}', /has no "nothing-result"/],
    ['{"type":"phase","phase":"resolve","items":1,"bytes":0,"more":1}', /additional properties/],
    ['{"type":"phase","phase":"dawn","items":1,"bytes":0}', /allowed values/],
    ['{"type":"result","command":"completion","result":{"shell":"bash"}}', /required property 'script'/],
  ])('finds fault with %s', (line, fault) => {
    expect(() => checkJsonLines(line)).toThrow(fault)
  })
})
