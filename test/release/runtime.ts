import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { extract } from 'tar'

/** A Bun runtime as npm has it. */
export interface Runtime {
  /** `@oven/bun-linux-x64` */
  readonly name: string
  /** Exactly that of the `bun` dependency. */
  readonly version: string
  /** Of the package's tgz: `sha512-…` */
  readonly integrity: string
}

/**
 * Bun's package for each platform. The one for x64 is built for old CPUs too: Bun publishes a "baseline" of the same
 * bytes beside it.
 */
const PACKAGES: Readonly<Record<string, string>> = {
  'linux/amd64': '@oven/bun-linux-x64',
  'linux/arm64': '@oven/bun-linux-aarch64',
}

export const PLATFORMS: readonly string[] = Object.keys(PACKAGES)

/** The runtime that package-lock.json names: `bun` lists those of all platforms, so that all are pinned with it. */
export async function pinnedRuntime(platform: string, root: string): Promise<Runtime> {
  const name = PACKAGES[platform]
  if (name === undefined) throw new Error(`no runtime for ${platform}; there are ${PLATFORMS.join(', ')}`)
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>
  }
  const { version, integrity } = packages[`node_modules/${name}`] ?? {}
  if (version === undefined || integrity === undefined) throw new Error(`package-lock.json lacks ${name}`)
  if (version !== packages['node_modules/bun']?.version)
    throw new Error(`package-lock.json has ${name} ${version}, which is not the version of bun`)
  return { name, version, integrity }
}

/**
 * The runtime's executable in `cache`, fetched by `npm pack` when it is not there: npm installs only what runs on this
 * machine, and nobody who only runs the program needs the others.
 */
export async function fetchRuntime({ name, version, integrity }: Runtime, cache: string): Promise<string> {
  const folder = join(cache, `${name.replaceAll(/[@/]+/g, '')}-${version}`)
  const executable = join(folder, 'package', 'bin', 'bun')
  if (await Bun.file(executable).exists()) return executable
  const fresh = `${folder}.partial`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { recursive: true })
  const { stdout } = await promisify(execFile)('npm', [
    'pack',
    `${name}@${version}`,
    '--silent',
    '--ignore-scripts',
    '--pack-destination',
    fresh,
  ])
  const tgz = join(fresh, stdout.trim())
  const found = `sha512-${createHash('sha512')
    .update(await readFile(tgz))
    .digest('base64')}`
  if (found !== integrity) throw new Error(`${name}@${version} is not what package-lock.json pins: ${found}`)
  await extract({ file: tgz, cwd: fresh }, ['package/bin/bun'])
  await rm(tgz)
  await chmod(join(fresh, 'package', 'bin', 'bun'), 0o755)
  await rename(fresh, folder)
  return executable
}
