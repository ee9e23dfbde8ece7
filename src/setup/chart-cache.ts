import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { thisBuild } from '../lib/build.ts'
import { openCache, type Cache } from '../lib/bytes/cache.ts'
import manifest from '../../package.json' with { type: 'json' }
import type { Surroundings } from '../bundle/run/surroundings.ts'

/**
 * What helm showed of charts, in the cache folder of the user; the key that seals it lies in the folder for state, as
 * caches are copied from one machine to the next.
 * @returns undefined for a user without folders
 * https://specifications.freedesktop.org/basedir-spec/latest/
 */
export async function openChartCache(env: Surroundings['env']): Promise<Cache | undefined> {
  const folderOf = (given: string | undefined, ...below: readonly string[]): string | undefined =>
    given || (env['HOME'] ? join(env['HOME'], ...below) : undefined)
  const cache = folderOf(env['XDG_CACHE_HOME'], '.cache')
  const state = folderOf(env['XDG_STATE_HOME'], '.local', 'state')
  if (cache === undefined || state === undefined) return undefined
  return openCache({
    folder: join(cache, 'ma-bundle', 'charts'),
    keyFile: join(state, 'ma-bundle', 'cache.key'),
    maker: await maker(),
  })
}

// --- internal ---

/** Another build, or source that was changed, may find other things in the same chart. */
async function maker(): Promise<string> {
  const build = thisBuild()
  if (build !== undefined) {
    const { size, mtimeMs } = await stat(process.execPath)
    return `${build.version} ${size} ${mtimeMs}`
  }
  const source = join(import.meta.dirname, '..')
  const files = await Promise.all(
    ['helm', 'bundle', 'oci'].map(async (room) => {
      const entries = await readdir(join(source, room), { recursive: true, withFileTypes: true })
      return Promise.all(
        entries
          .filter((entry) => entry.isFile())
          .map(async ({ parentPath, name }) => {
            const { size, mtimeMs } = await stat(join(parentPath, name))
            return `${name} ${size} ${mtimeMs}`
          }),
      )
    }),
  )
  return `${manifest.version} ${files.flat().toSorted().join()}`
}
