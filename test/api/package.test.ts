import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { runProgram } from '../support/program.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'

const root = resolve(import.meta.dirname, '..', '..')
let folder: string
let small: SmallBundle
let target: RegistryDouble
const at = (name: string): string => join(folder, name)

/** Of npm's own settings only those that say where packages come from; and a cache that goes away again. */
function npmEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^npm_/i.test(name) ||
      /^npm_config_(registry|https?_proxy|cafile|userconfig|globalconfig)$/i.test(name),
  )
  const own = {
    npm_config_cache: at('cache'),
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_update_notifier: 'false',
  }
  return {
    ...Object.fromEntries(kept.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))),
    ...own,
  }
}

const npm = (args: readonly string[], cwd: string) => runProgram('npm', args, { cwd, env: npmEnvironment() })

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'package-'))
  ;[small, target] = await Promise.all([makeSmallBundle(), startDouble()])
  await npm(['pack', '--pack-destination', folder], root)
  writeFileSync(at('package.json'), '{ "private": true, "type": "module" }')
  await npm(['install', `./${tarball}`], folder)
  copyFileSync(join(import.meta.dirname, 'example.ts'), at('example.ts'))
}, 300_000)
afterAll(async () => {
  await Promise.all([small.remove(), target.stop()])
  rmSync(folder, { recursive: true })
  // Some ten thousand files of installed packages, on a disk that may be busy.
}, 300_000)

const tarball = `ma-bundle-${manifest.version}.tgz`
const installed = (name: string): string => at(join('node_modules', '.bin', name))

/** What the compiler of somebody who installed the package says, with no mercy for its declarations. */
async function compile(file: string, module: 'preserve' | 'nodenext'): Promise<string> {
  const compilerOptions = {
    noEmit: true,
    strict: true,
    skipLibCheck: false,
    module,
    moduleResolution: module === 'preserve' ? 'bundler' : module,
    target: 'esnext',
    lib: ['esnext'],
    types: ['bun-types'],
    typeRoots: [join(root, 'node_modules')],
  }
  writeFileSync(at('tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  const child = Bun.spawn([tsc, '--pretty', 'false'], { cwd: folder, stdout: 'pipe', stderr: 'pipe' })
  return new Response(child.stdout).text()
}

describe('the package, as somebody gets it who installs it', () => {
  it.each(['preserve', 'nodenext'] as const)('has types that hold for the example (%s)', async (module) => {
    expect(await compile('example.ts', module)).toBe('')
  })

  it('has types that refuse what is wrong', async () => {
    writeFileSync(
      at('wrong.ts'),
      `import { exportBundle, importBundle } from 'ma-bundle'
await exportBundle('a.tar', { platfroms: [] })
await importBundle('a.tar', {})
const size: string = (await exportBundle('a.tar')).size
export { size }
`,
    )
    const faults = (await compile('wrong.ts', 'preserve')).trim().split('\n')
    expect(faults.filter((line) => line.startsWith('wrong.ts'))).toEqual([
      expect.stringMatching(/^wrong\.ts\(2,31\): error TS\d+: .*'platfroms'/),
      expect.stringMatching(/^wrong\.ts\(3,29\): error TS\d+: .*'registry'/),
      expect.stringMatching(/^wrong\.ts\(4,7\): error TS\d+: Type 'number'/),
    ])
    expect(faults.join()).not.toContain('node_modules')
  })

  it('runs the example against real servers', async () => {
    const { stdout, stderr } = await runProgram(
      installed('bun'),
      ['example.ts', small.spec, target.host, folder],
      { cwd: folder, env: { PATH: process.env.PATH ?? '', HOME: folder } },
    )
    expect(stderr.split('\n').filter((line) => line !== '' && !line.startsWith('careful: '))).toEqual([])
    expect(stdout.toString().split('\n')).toEqual([
      expect.stringMatching(/^exported 4 items, transferred \d+ bytes$/),
      expect.stringMatching(/^image 127\.0\.0\.1:\d+\/team\/one:1 sha256:[0-9a-f]{64}$/),
      expect.stringMatching(/^image 127\.0\.0\.1:\d+\/team\/two:2 sha256:/),
      expect.stringMatching(/^chart web:1\.2\.3 sha256:/),
      expect.stringMatching(/^file index\.yaml sha256:/),
      '21 entries, 0 damaged',
      '3 pushed, wrote values.yaml',
      '',
    ])
  })

  it('has a command that npm links, and that npx and bunx start', async () => {
    const version = `${manifest.version}\n`
    const linked = await runProgram(installed('ma-bundle'), ['--version'])
    expect(linked.stdout.toString()).toBe(version)
    const env = npmEnvironment()
    const npx = await runProgram('npx', ['--yes', '--prefer-offline', `./${tarball}`, '--version'], {
      cwd: folder,
      env,
    })
    expect(npx.stdout.toString()).toBe(version)
    const bunx = await runProgram(installed('bun'), ['x', '--bun', 'ma-bundle', '--version'], {
      cwd: folder,
      env,
    })
    expect(bunx.stdout.toString()).toBe(version)
  }, 300_000)

  it('starts where npm was told to run no scripts of packages', async () => {
    await npm(
      ['install', '--ignore-scripts', '--prefer-offline', '--prefix', at('bare'), at(tarball)],
      folder,
    )
    const { stdout } = await runProgram(at('bare/node_modules/.bin/ma-bundle'), ['--version'], {
      env: { PATH: process.env.PATH ?? '' },
    })
    expect(stdout.toString()).toBe(`${manifest.version}\n`)
  }, 300_000)
})
