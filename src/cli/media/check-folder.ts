import { existsSync } from 'node:fs'
import { access, constants, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { cannotWrite } from '../../archive/random-writer.ts'

/**
 * Whether a bundle can be written to this path: an export finds out in its first second, not after it has resolved all.
 * @throws a usage error that says why not
 */
export async function lookAtFolder(path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK | constants.X_OK)
    if (existsSync(path) && (await stat(path)).isDirectory())
      throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' })
  } catch (error) {
    throw cannotWrite(basename(path), error)
  }
}
