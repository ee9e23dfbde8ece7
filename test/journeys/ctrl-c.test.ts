import { mkdtempSync, readFileSync, rmSync, existsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCli } from '../support/cli.ts'
import { buildImage, layerOf, noise } from '../support/images.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { drip } from '../support/registry/faults.ts'

let folder: string
let source: RegistryDouble
const image = buildImage([layerOf({ large: noise(4_000_000, 1) })])

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ctrl-c-'))
  source = await startDouble()
  for (const content of image.blobs.values()) source.addBlob('a/b', content)
  source.addManifest('a/b', image.raw, '1')
  writeFileSync(join(folder, 'spec.yaml'), `images: ["${source.host}/a/b:1"]\n`)
})
afterAll(async () => {
  await source.stop()
  rmSync(folder, { recursive: true })
})

const ROOT = join(import.meta.dirname, '..', '..')
const CLI = join(ROOT, 'src', 'cli.ts')
const LAUNCHER = join(ROOT, 'src', 'launcher.js')
const STUBBORN = join(ROOT, 'test', 'support', 'slow-program.ts')

interface Pressed {
  readonly code: number | null
  readonly signal: NodeJS.Signals | number | null
  readonly screen: string
}

/** Runs a program in a terminal of its own, and presses the keys once it shows that it is at work. */
async function inTerminal(
  command: readonly string[],
  atWork: RegExp,
  keys: readonly string[],
  program = process.execPath,
): Promise<Pressed> {
  source.addFault({ on: /^GET .*\/blobs\//, change: drip(64 * 1024, 100) })
  let screen = ''
  const flowing = Promise.withResolvers<void>()
  const child = Bun.spawn([program, ...command], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', HOME: folder, DOCKER_CONFIG: folder, TERM: 'xterm' },
    terminal: {
      cols: 100,
      rows: 30,
      data(_: unknown, bytes: Uint8Array) {
        screen += new TextDecoder().decode(bytes)
        if (atWork.test(screen)) flowing.resolve()
      },
    },
  })
  await flowing.promise
  for (const key of keys) {
    child.terminal?.write(key)
    // Two of one signal that are pending together are one.
    for (let waited = 0; waited < 10_000 && !screen.includes('stopping'); waited += 20) await Bun.sleep(20)
  }
  const code = await child.exited
  child.terminal?.close()
  source.clearFaults()
  return { code, signal: child.signalCode, screen }
}

const CTRL_C = '\u0003'

it('Ctrl-C once stops, says so, and the same command goes on from there', async () => {
  const args = ['export', 'once.tar', '--spec', 'spec.yaml', '--allow-missing-platform']
  const { code, screen } = await inTerminal([CLI, ...args], /\d ?%/, [CTRL_C])
  expect(screen).toContain('stopping; press Ctrl-C again to quit at once')
  expect(screen).toContain('run the same command again: what is done is not done twice')
  expect(code).toBe(130)
  expect(existsSync(join(folder, 'once.tar'))).toBe(false)
  expect(existsSync(join(folder, 'once.tar.partial'))).toBe(true)
  const again = await runCli(args, { cwd: folder })
  expect(again.code, again.stderr).toBe(0)
  expect(readFileSync(join(folder, 'once.tar')).length).toBeGreaterThan(4_000_000)
  expect((await runCli(['verify', 'once.tar'], { cwd: folder })).code).toBe(0)
})

it('Ctrl-C twice ends what does not listen, the way the system does', async () => {
  const { signal, screen } = await inTerminal([STUBBORN, 'stubborn'], /ready/, [CTRL_C, CTRL_C])
  expect(screen).toContain('stopping; press Ctrl-C again to quit at once')
  expect(signal).toBe('SIGINT')
})

it('Ctrl-C once is once to what npm starts, too, and twice is twice', async () => {
  const args = ['export', 'npm.tar', '--spec', 'spec.yaml', '--allow-missing-platform']
  const once = await inTerminal([LAUNCHER, ...args], /\d ?%/, [CTRL_C], 'node')
  expect(once.screen).toContain('stopping; press Ctrl-C again to quit at once')
  expect(once.screen).toContain('run the same command again: what is done is not done twice')
  expect([once.code, once.signal]).toEqual([130, null])
})
