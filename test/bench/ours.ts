import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
import { compile } from '../release/compile.ts'

/** The program as it is released, compiled from this folder into one file, like those it is compared with. */
export async function compileOurs(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const program = join(folder, 'ma-bundle')
  const platform = `linux/${process.arch === 'x64' ? 'amd64' : 'arm64'}`
  const build = { version: manifest.version, platform }
  await compile(build, process.execPath, program, resolve(import.meta.dirname, '../..'))
  return `'${program}'`
}
