import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import {
  ELF_HEAD,
  platformOfElf,
  programPath,
  readProgram,
  type ImporterProgram,
} from '../bundle/format/importer.ts'
import { thisBuild } from '../lib/build.ts'
import { collect, type Bytes } from '../lib/bytes/bytes.ts'
import { codeOf, usageError } from '../lib/errors.ts'
import { openFile } from '../lib/bytes/file.ts'
import manifest from '../../package.json' with { type: 'json' }

/** Finds the program itself, to be carried along. */
export interface ProgramFinder {
  /**
   * @param platforms `linux/amd64`
   * @param flag what asks for them
   * @throws a usage error that says what was found instead
   */
  find(platforms: readonly string[], flag: ProgramFlag): Promise<readonly ImporterProgram[]>
  /** Bytes read of them by now. */
  readonly given: () => number
}

export type ProgramFlag = '--with-cli' | '--with-image' | '--lock'

/** @param from files and folders to look at; this program itself and its neighbours when there are none */
export function createProgramFinder(from: readonly string[], signal: AbortSignal): ProgramFinder {
  let given = 0
  const count = (bytes: number): void => {
    given += bytes
  }
  return {
    async find(platforms, flag) {
      const files = platforms.length === 0 ? [] : await candidates(from)
      const list: ImporterProgram[] = []
      for (const platform of platforms)
        list.push(
          await find(
            platform,
            files,
            { from, flag, several: platforms.length > 1 && flag !== '--lock' },
            signal,
            count,
          ),
        )
      return list
    },
    given: () => given,
  }
}

// --- internal ---

interface Search {
  readonly from: readonly string[]
  readonly flag: ProgramFlag
  /** Programs for other machines are wanted, too, and could be left out. */
  readonly several: boolean
}

/** Files that may be the program: those named, else this program itself and its neighbours, else what was built. */
async function candidates(cliFrom: readonly string[]): Promise<readonly string[]> {
  const own = thisBuild() === undefined ? [] : [process.execPath]
  const places =
    cliFrom.length > 0
      ? cliFrom
      : own.length > 0
        ? [dirname(process.execPath)]
        : [join(import.meta.dirname, '..', '..', 'dist')]
  const found = await Promise.all(
    places.map(async (place) => {
      try {
        if (!(await stat(place)).isDirectory()) return [place]
        const names = (await readdir(place)).filter((name) => name.startsWith('ma-bundle')).toSorted()
        return names.map((name) => join(place, name))
      } catch (error) {
        const code = codeOf(error)
        if (code === undefined) throw error
        if (cliFrom.length === 0) return []
        throw usageError(`cannot read it: ${code === 'ENOENT' ? 'no such file or folder' : code}`, {
          where: `flag --cli-from, ${basename(place)}`,
          cause: error,
        })
      }
    }),
  )
  return cliFrom.length > 0 ? [...found.flat(), ...own] : [...own, ...found.flat()]
}

async function find(
  platform: string,
  files: readonly string[],
  { from, flag, several }: Search,
  signal: AbortSignal,
  count: (bytes: number) => void,
): Promise<ImporterProgram> {
  const others: string[] = []
  for (const path of files) {
    if ((await platformOf(path)) !== platform) continue
    const { digest, size, build } = await reading(path, (file) => readProgram(file, signal))
    if (build?.platform === platform && build.version === manifest.version) {
      const source = {
        resolve: none,
        fetch: (_: unknown, start = 0) => Promise.resolve(read(path, start, count)),
      }
      return { path: programPath(platform), ...build, digest, size, source }
    }
    others.push(
      `${basename(path)} is ${build === undefined ? 'another program' : `ma-bundle ${build.version}`}`,
    )
  }
  const where =
    from.length > 0 ? 'at --cli-from' : thisBuild() === undefined ? 'in dist/' : 'beside this program'
  const seen = others.length === 0 ? '' : ` (${others.join('; ')})`
  throw usageError(`there is no ma-bundle ${manifest.version} for ${platform} ${where}${seen}`, {
    where: `flag ${flag}`,
    next: [
      thisBuild() === undefined
        ? 'make it with "npm run build" in a clone, or name it with --cli-from <file|folder>'
        : 'name it with --cli-from <file|folder>',
      ...(several ? [`or name only the machines that you have it for: ${flag}=<amd64|arm64>`] : []),
    ].join(', '),
  })
}

const none = () => Promise.reject(new Error('manifests are not fetched from it'))

async function platformOf(path: string): Promise<string | undefined> {
  if (!(await stat(path)).isFile()) return undefined
  return reading(path, async (file) =>
    file.size < ELF_HEAD ? undefined : platformOfElf(await collect(file.read(0, ELF_HEAD))),
  )
}

async function reading<Result>(
  path: string,
  work: (file: Awaited<ReturnType<typeof openFile>>) => Promise<Result>,
): Promise<Result> {
  const file = await openFile(path, basename(path))
  try {
    return await work(file)
  } finally {
    await file.close()
  }
}

async function* read(path: string, start: number, count: (bytes: number) => void): Bytes {
  const file = await openFile(path, basename(path))
  try {
    for await (const chunk of file.read(start, file.size - start)) {
      count(chunk.length)
      yield chunk
    }
  } finally {
    await file.close()
  }
}
