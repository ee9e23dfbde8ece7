import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { startContainerd, type Containerd } from '../support/containerd.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { buildImage } from '../support/images.ts'
import { runProgram, type ProgramOutcome } from '../support/program.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'
import { compile } from '../release/compile.ts'

const repository = join(import.meta.dirname, '..', '..')
const machine = process.arch === 'x64' ? 'amd64' : 'arm64'
let folder: string
let program: string
let small: SmallBundle
let bases: EmbeddedSource
let registry: DockerRegistry
let containerd: Containerd
let image: string
const at = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'own-image-'))
  program = at(`ma-bundle-linux-${machine}`)
  await compile(
    { version: manifest.version, platform: `linux/${machine}` },
    process.execPath,
    program,
    repository,
  )
  small = await makeSmallBundle()
  bases = await startSource({
    images: { 'base/glibc:1': buildImage([await baseLayer()], { platform: `linux/${machine}` }) },
  })
  registry = await startDockerRegistry()
  containerd = await startContainerd()
  const made = ['--with-image', machine, '--image-base', `${bases.host}/base/glibc:1`]
  await runProgram(program, ['export', at('bundle.tar'), '--spec', small.spec, ...made, '--quiet'])
  await runProgram(
    program,
    ['import', at('bundle.tar'), '--registry', registry.host, '--include', 'localhost/ma-bundle*'],
    { cwd: folder },
  )
  image = `${registry.host}/mirrored/localhost/ma-bundle:${manifest.version}`
  await mkdir(at('hosts'))
  await containerd.pull(image, { hostsDir: at('hosts') })
}, 180_000)
afterAll(async () => {
  await containerd?.stop()
  await registry?.stop()
  await bases?.stop()
  await small?.remove()
  await rm(folder, { recursive: true, force: true })
})

describe('the image of the program, out of a private registry, in containerd', () => {
  it('runs, and tells its version', async () => {
    const { stdout } = await containerd.run(image, ['ma-bundle', '--version', '--verbose'])
    expect(stdout.toString()).toContain(`ma-bundle ${manifest.version}\nlinux/${machine}, one file`)
  })

  it('is started by the image itself', async () => {
    const { stdout } = await containerd.run(image, [])
    expect(stdout.toString()).toContain('ma-bundle <command>')
  })

  it('is not root there, and cannot write', async () => {
    const refused = await failing(containerd.run(image, ['ma-bundle', 'verify', '/root-only.tar']))
    expect(refused).toMatch(/permission|EACCES/i)
    const written = await failing(
      containerd.run(image, ['ma-bundle', 'export', '/tmp/new.tar', `${bases.host}/base/glibc:1`]),
    )
    expect(written).toMatch(/read-only|EROFS/i)
  })

  it('imports a bundle as the Job does: nothing to write in but its scratch folder', async () => {
    const other = await startDockerRegistry()
    await mkdir(at('scratch'))
    await chmod(at('scratch'), 0o777)
    await chmod(folder, 0o755)
    await chmod(at('bundle.tar'), 0o644)
    try {
      const { stdout } = await containerd.run(
        image,
        ['ma-bundle', 'import', '/bundle.tar', '--registry', other.host, '--values', '/tmp/values.yaml'],
        [
          [at('bundle.tar'), '/bundle.tar', 'ro'],
          [at('scratch'), '/tmp', 'rw'],
        ],
      )
      expect(stdout.toString()).toContain(`${other.host}/mirrored/localhost/ma-bundle:${manifest.version}`)
      expect(await readFile(at('scratch/values.yaml'), 'utf8')).toContain('web')
      expect(await readdir(at('scratch'))).toContain('values.yaml')
    } finally {
      await other.stop()
    }
  })
})

/** What a program that fails wrote. */
const failing = (run: Promise<ProgramOutcome>): Promise<string> =>
  run.then(
    () => Promise.reject(new Error('it ended well')),
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )

/** The C library that the program is linked to, a folder to write in, and a file of root's own. */
async function baseLayer(): Promise<Uint8Array> {
  const root = at('base')
  const { stdout } = await runProgram('ldd', [program])
  const libraries = [...stdout.toString().matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path)
  for (const path of libraries) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await copyFile(path, join(root, path))
    await chmod(join(root, path), 0o755)
  }
  for (const path of ['tmp', 'proc', 'dev', 'sys']) await mkdir(join(root, path), { recursive: true })
  await chmod(join(root, 'tmp'), 0o1777)
  await writeFile(join(root, 'root-only.tar'), 'of root', { mode: 0o600 })
  await writeFile(join(root, 'bundle.tar'), '')
  await runProgram('tar', ['czf', at('base.tgz'), '--owner=0', '--group=0', '-C', root, '.'])
  return new Uint8Array(await readFile(at('base.tgz')))
}
