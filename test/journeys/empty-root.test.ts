import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { compile } from '../release/compile.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { runProgram, type ProgramOutcome } from '../support/program.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import type { Inside } from './empty-root-inside.ts'

const repository = join(import.meta.dirname, '..', '..')
const machine = process.arch === 'x64' ? 'amd64' : 'arm64'
let folder: string
let program: string
let small: SmallBundle

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'empty-root-'))
  program = join(folder, `ma-bundle-linux-${machine}`)
  // With the Bun of this machine as the runtime: what npm has for all machines is fetched by a release only.
  await compile(
    { version: manifest.version, platform: `linux/${machine}` },
    process.execPath,
    program,
    repository,
  )
  small = await makeSmallBundle()
}, 120_000)
afterAll(async () => {
  await small.remove()
  await rm(folder, { recursive: true, force: true })
})

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ProgramOutcome> =>
  runProgram(program, args, { cwd: folder, env })

describe('the compiled program', () => {
  it('tells what it is', async () => {
    const { stdout } = await run(['--version', '--verbose'])
    expect(stdout.toString()).toBe(
      `ma-bundle ${manifest.version}\nlinux/${machine}, one file, Bun ${Bun.version}\n`,
    )
  })

  it('has the bundled specs inside', async () => {
    const child = Bun.spawn([program, 'export', 'none.tar', '--spec', 'migration-assistant-9'], {
      cwd: folder,
      env: {},
      stderr: 'pipe',
    })
    expect(await new Response(child.stderr).text()).toContain('migration-assistant-3.3.6')
    expect(await child.exited).toBe(2)
  })

  it('reads no .env and no bunfig.toml of the working folder', async () => {
    await writeFile(join(folder, '.env'), 'MA_BUNDLE_CONFIG=planted.yaml\n')
    await writeFile(join(folder, 'bunfig.toml'), 'preload = ["./planted.ts"]\n')
    await writeFile(join(folder, 'planted.ts'), 'console.log("planted")\n')
    const { code, stdout } = await run(['inspect', small.file, '--json'])
    expect(code).toBe(0)
    expect(stdout.toString()).not.toContain('planted')
  })

  it('holds no path of the machine it was built on', async () => {
    const text = Buffer.from(await Bun.file(program).bytes())
    expect(text.includes(repository)).toBe(false)
  })
})

describe('a bundle that carries the program, where nothing else is', () => {
  let inside: Inside
  beforeAll(async () => {
    const root = join(folder, 'root')
    await run(['export', 'with-cli.tar', '--spec', small.spec, `--with-cli=${machine}`, '--quiet'])
    await emptyRoot(root)
    await copyFile(join(folder, 'with-cli.tar'), join(root, 'bundle.tar'))
    const script = join(import.meta.dirname, 'empty-root-inside.ts')
    const namespaces = ['--net', '--mount', '--propagation', 'private']
    const { stdout } = await runProgram('unshare', [...namespaces, process.execPath, script, root], {
      env: { PATH: process.env.PATH ?? '', HOME: folder },
    })
    inside = JSON.parse(stdout.toString()) as Inside
  }, 120_000)

  it('carries the program that exported it, byte for byte', async () => {
    const entry = machine === 'amd64' ? 'ma-bundle' : `ma-bundle-${machine}`
    const { stdout } = await runProgram('tar', ['xOf', join(folder, 'with-cli.tar'), entry])
    expect(digestOf(stdout)).toBe(digestOf(await Bun.file(program).bytes()))
  })

  it('starts it with tar alone', () => {
    expect(inside.printed[0]).toContain(`linux/${machine}, one file`)
  })

  it('imports into a registry and into ECR, and verifies', () => {
    const [one, two] = ['team/one', 'team/two'].map(
      (name) => `mirrored/${small.source.host.replace(':', '-')}/${name}`,
    )
    expect(inside.registry).toEqual(['charts/web', one, two])
    expect(inside.ecr).toEqual(['charts/web:1.2.3', `${one}:1`, `${two}:2`])
    expect(inside.printed[3]).toContain('3 of 3 are in')
  })

  it('leaves the values there, and nothing else', () => {
    const brought = ['bin', 'bundle.tar', 'ca.pem', 'proc', 'tmp']
    const made = ['ma-bundle', 'ma-bundle-values.d', 'ma-bundle-values.yaml']
    expect(inside.files.filter((name) => !name.startsWith('lib'))).toEqual([...brought, ...made].toSorted())
  })
})

/** A folder with busybox and the C library that the program is linked to. */
async function emptyRoot(root: string): Promise<void> {
  for (const name of ['bin', 'tmp']) await mkdir(join(root, name), { recursive: true })
  await copyFile('/bin/busybox', join(root, 'bin', 'busybox'))
  for (const name of ['sh', 'tar', 'chmod']) await symlink('busybox', join(root, 'bin', name))
  const { stdout } = await runProgram('ldd', [program])
  const libraries = [...stdout.toString().matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path)
  for (const path of libraries) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await copyFile(path, join(root, path))
  }
}
