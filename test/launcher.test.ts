import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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
    react,
  }: {
    readonly stdin?: string
    readonly react?: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void
  } = {},
): Promise<Ended> {
  const env = { PATH: `${folder}:${process.env.PATH ?? ''}`, HOME: folder }
  const child = spawn('node', [launcher, ...args], { cwd: folder, env })
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

  it.each<NodeJS.Signals>(['SIGTERM', 'SIGHUP'])(
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
})
