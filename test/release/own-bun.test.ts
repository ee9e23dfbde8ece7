import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { runProgram } from '../support/program.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

const ROOT = join(import.meta.dirname, '..', '..')

let small: SmallBundle
let folder: string
/** As `npm ci --ignore-scripts` leaves it: the package `bun` is there, but the program in it is not. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ma-bundle-own-bun-'))
  small = await makeSmallBundle()
  cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true })
  cpSync(join(ROOT, 'manifests'), join(folder, 'manifests'), { recursive: true })
  copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  const modules = join(folder, 'node_modules')
  mkdirSync(modules)
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name === 'bun' || name === '@oven' || name.startsWith('.')) continue
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  }
  mkdirSync(join(folder, 'elsewhere'))
  copyFileSync(process.execPath, join(folder, 'elsewhere', 'bun'))
})
afterAll(async () => {
  await small.remove()
  rmSync(folder, { recursive: true })
})

const run = (...args: readonly string[]) =>
  runProgram(join(folder, 'elsewhere', 'bun'), ['src/cli.ts', ...args], {
    cwd: folder,
    env: { PATH: '/usr/bin:/bin', HOME: folder },
  })

it('runs without any install script, with a Bun from elsewhere', async () => {
  expect((await run('--version')).stdout.toString()).toBe(`${manifest.version}\n`)
  expect((await run('inspect', small.file)).stdout.toString()).toContain('team/one:1')
  const exported = await run('export', 'again.tar', '--spec', small.spec, '--no-prove')
  expect(exported.stdout.toString()).toContain('Wrote again.tar')
  expect((await run('verify', 'again.tar')).code).toBe(0)
})

it('has no install script in what it needs but that of bun', () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<
      string,
      { hasInstallScript?: boolean; dev?: boolean; integrity?: string; link?: boolean }
    >
  }
  const scripted = Object.entries(packages).filter(
    ([, { hasInstallScript, dev }]) => hasInstallScript && !dev,
  )
  expect(scripted.map(([name]) => name)).toEqual(['node_modules/bun'])
  const unpinned = Object.entries(packages).filter(
    ([name, { integrity }]) => name.startsWith('node_modules/') && integrity === undefined,
  )
  expect(unpinned.map(([name]) => name)).toEqual([])
})
