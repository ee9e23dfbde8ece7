import { spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import manifest from '../package.json' with { type: 'json' }
import { makeSmallBundle, type SmallBundle } from './support/small-bundle.ts'

const launcher = resolve(import.meta.dirname, '..', 'src', 'launcher.js')
let folder: string
let small: SmallBundle

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'launcher-'))
  // Whoever takes the first bun that is on the PATH gets this one.
  writeFileSync(join(folder, 'bun'), '#!/bin/sh\nexit 99\n')
  chmodSync(join(folder, 'bun'), 0o755)
  small = await makeSmallBundle()
})
afterAll(async () => {
  await small.remove()
  rmSync(folder, { recursive: true })
})

/** A package of its own with the launcher, and these of its dependencies beside it. */
function packageWith(name: string, dependencies: readonly string[]): string {
  const home = join(folder, name)
  mkdirSync(join(home, 'src'), { recursive: true })
  copyFileSync(launcher, join(home, 'src', 'launcher.js'))
  writeFileSync(join(home, 'package.json'), JSON.stringify(manifest))
  for (const dependency of dependencies) {
    mkdirSync(join(home, 'node_modules', dependency), { recursive: true })
    writeFileSync(join(home, 'node_modules', dependency, 'package.json'), '{}')
  }
  return join(home, 'src', 'launcher.js')
}

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts it with Node, as npm does; `react` is told all of stdout so far. */
function run(
  args: readonly string[],
  {
    stdin = '',
    program = launcher,
    react,
  }: {
    readonly stdin?: string
    readonly program?: string
    readonly react?: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void
  } = {},
): Promise<Ended> {
  // Bun puts a folder with itself as "node" first, where this test runs with --bun.
  const path = (process.env.PATH ?? '').split(':').filter((one) => !/\/bun-node-/.test(one))
  const env = { PATH: [folder, ...path].join(':'), HOME: folder }
  const child = spawn('node', [program, ...args], { cwd: folder, env })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk)
    react?.(stdout, (signal) => void child.kill(signal))
  })
  child.stderr.on('data', (chunk) => void (stderr += String(chunk)))
  child.stdin.end(stdin)
  return new Promise((ended, failed) => {
    child.on('error', failed)
    child.on('close', (code, signal) => ended({ code, signal, stdout, stderr }))
  })
}

describe('what npm starts', () => {
  it('hands over to the Bun of its own, with arguments, exit codes and streams', async () => {
    expect(await run(['--version'])).toEqual({
      code: 0,
      signal: null,
      stdout: `${manifest.version}\n`,
      stderr: '',
    })
    const wrong = await run(['exprot', 'a b'])
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('did you mean ma-bundle export?')])
    const pipe = await run(['post-render', small.file, '--registry', 'private.example'], {
      stdin: `image: ${small.source.host}/team/two:2\n`,
    })
    expect(pipe.stdout).toContain('image: private.example/mirrored/')
  })

  it.each<NodeJS.Signals>(['SIGINT', 'SIGTERM', 'SIGHUP'])(
    'hands %s on, and ends as the program does',
    async (name) => {
      let sent = false
      const ended = await run(['serve', small.file, '--listen', '127.0.0.1:0'], {
        react(stdout, kill) {
          if (!sent && stdout.includes('is served at')) kill(name)
          sent ||= stdout.includes('is served at')
        },
      })
      expect([ended.code, ended.signal]).toEqual([0, null])
    },
  )

  it('says which packages are missing, and starts nothing', async () => {
    const needed = Object.keys(manifest.dependencies).filter((name) => name !== 'bun')
    const [first = '', ...others] = needed
    const none = await run(['--version'], { program: packageWith('none', []) })
    expect([none.code, none.stdout]).toEqual([1, ''])
    for (const name of needed) expect(none.stderr).toContain(name)
    const one = await run(['--version'], { program: packageWith('one', others) })
    expect(one).toMatchObject({ code: 1, stdout: '' })
    expect(one.stderr).toBe(
      `error: ma-bundle is not completely installed: ${first} is missing\n  next:  in a clone run npm ci; else install the package again, with npm install --global <the .tgz>\n`,
    )
  })

  it('never lets Bun fetch a package', async () => {
    const program = packageWith(
      'all',
      Object.keys(manifest.dependencies).filter((name) => name !== 'bun'),
    )
    const shown = join(folder, 'bun')
    writeFileSync(shown, '#!/bin/sh\necho "$@"\n')
    const { stdout, stderr } = await run(['x'], { program })
    expect(stderr).toBe('')
    writeFileSync(shown, '#!/bin/sh\nexit 99\n')
    expect(stdout).toBe(`--no-install ${program.replace('launcher.js', 'cli.ts')} x\n`)
  })
})
