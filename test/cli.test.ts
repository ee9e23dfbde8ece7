import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')
const bun = process.execPath
const cli = join(root, 'src/cli.ts')
const program = join(root, 'test/support/slow-program.ts')

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts a process; `react` sees everything on stderr so far, each time something comes. */
async function run(
  command: string,
  args: readonly string[],
  react: (stderr: string, kill: (signal: NodeJS.Signals) => void) => void = () => undefined,
): Promise<Ended> {
  const { NO_COLOR: _, ...env } = process.env
  const child = spawn(command, args, { cwd: tmpdir(), env, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => void (stdout += String(chunk)))
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk)
    react(stderr, (signal) => void child.kill(signal))
  })
  return new Promise((ended, failed) => {
    child.on('error', failed)
    child.on('close', (code, signal) => ended({ code, signal, stdout, stderr }))
  })
}

/** Sends the signals one after the other, each when its text has appeared. */
const after = (...steps: readonly (readonly [text: string, signal: NodeJS.Signals])[]) => {
  const left = [...steps]
  return (stderr: string, kill: (signal: NodeJS.Signals) => void): void => {
    const [step] = left
    if (step === undefined || !stderr.includes(step[0])) return
    left.shift()
    kill(step[1])
  }
}

const stopping = 'stopping; press Ctrl-C again to quit at once\n'

describe('the program as a process', () => {
  it('loads no more than its help needs', async () => {
    const preload = join(root, 'test/support/loaded-modules.ts')
    const { code, stderr } = await run(bun, ['--preload', preload, cli, '--help'])
    expect(code).toBe(0)
    const modules = stderr.trim().split('\n')
    expect(modules.filter((file) => file.includes('node_modules') && !file.includes('/citty/'))).toEqual([])
    expect(modules.length).toBeLessThan(50)
  })

  it('tells its own version', async () => {
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
    expect(await run(bun, [cli, '--version'])).toEqual({
      code: 0,
      signal: null,
      stdout: `${manifest.version}\n`,
      stderr: '',
    })
  })

  it('prints its help on stdout when called alone', async () => {
    const { code, stdout, stderr } = await run(bun, [cli])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('Make a bundle:\n')
  })

  it('ends with the code of what went wrong, without a stack', async () => {
    const { code, stdout, stderr } = await run(bun, [program, 'wrong'])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toBe('error: that is wrong\n  next:  do it right\n')
    expect(await run(bun, [cli, 'exprot'])).toMatchObject({ code: 2 })
  })

  it.each([['crash'], ['crash', '--promise']])(
    'reports a crash outside of any command: %s %s',
    async (...argv) => {
      const { code, stderr } = await run(bun, [program, ...argv])
      expect(code).toBe(1)
      expect(stderr).toContain('error: this is a bug in ma-bundle: TypeError: nobody')
      expect(stderr).not.toMatch(/\n\s+at /)
    },
  )
})

describe('Ctrl-C', () => {
  it.each<NodeJS.Signals>(['SIGINT', 'SIGTERM', 'SIGHUP'])(
    'once (%s) lets the run tidy up and ends with 130',
    async (name) => {
      const { code, signal, stderr } = await run(bun, [program, 'patient'], after(['ready', name]))
      expect([code, signal]).toEqual([130, null])
      expect(stderr).toBe(
        `ready\n${stopping}tidied up\nerror: stopped\n  next:  run the same command again: what is done is not done twice\n`,
      )
    },
  )

  it('is a document under --json', async () => {
    const { code, stdout } = await run(bun, [program, 'patient', '--json'], after(['ready', 'SIGINT']))
    expect(code).toBe(130)
    expect(JSON.parse(stdout)).toMatchObject({ type: 'error', kind: 'cancelled', exitCode: 130 })
  })

  it.each<NodeJS.Signals>(['SIGINT', 'SIGTERM'])(
    'twice (%s) kills a run that does not listen',
    async (name) => {
      const { code, signal, stderr } = await run(
        bun,
        [program, 'stubborn'],
        after(['ready', name], ['stopping', name]),
      )
      expect([code, signal]).toEqual([null, name])
      expect(stderr).toBe(`ready\n${stopping}`)
    },
  )
})

describe('a reader that goes away', () => {
  it('is no error of ours', async () => {
    const script = '"$0" "$1" flood | head -n 1 | wc -c; echo "${PIPESTATUS[0]}"'
    const { code, stdout, stderr } = await run('bash', ['-c', script, bun, program])
    expect(code).toBe(0)
    expect(stdout).toBe('1001\n0\n')
    expect(stderr).toBe('finished\n')
  })
})

describe('the compiled program', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ma-bundle-compiled-'))
  })
  afterAll(async () => rm(folder, { recursive: true }))

  it('knows its version and its commands without the source', async () => {
    const binary = join(folder, 'ma-bundle')
    const built = await run(bun, ['build', '--compile', cli, '--outfile', binary])
    expect(built).toMatchObject({ code: 0 })
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
    expect(await run(binary, ['--version'])).toMatchObject({ code: 0, stdout: `${manifest.version}\n` })
    const { code, stdout } = await run(binary, ['completion', 'bash'])
    expect(code).toBe(0)
    expect(stdout).toContain('complete -o filenames -F _ma_bundle ma-bundle')
  })
})
