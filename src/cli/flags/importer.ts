import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import {
  ELF_HEAD,
  platformOfElf,
  programPath,
  readProgram,
  type Program,
} from '../../bundle/format/importer.ts'
import { thisBuild } from '../../lib/build.ts'
import { collect, type Bytes } from '../../lib/bytes/bytes.ts'
import { codeOf, usageError } from '../../lib/errors.ts'
import { openFile } from '../../lib/bytes/file.ts'
import manifest from '../../../package.json' with { type: 'json' }
import type { Args, ArgsDef } from '../args/flags.ts'

/** Flags that put the program itself into a bundle. */
export const programArgs = {
  withCli: {
    type: 'string',
    hint: 'amd64,arm64',
    alone: { value: 'amd64', words: /^(?:amd64|arm64)(?:,(?:amd64|arm64))*$/ },
    description:
      'Put the importer into the bundle, as the entry ma-bundle (and ma-bundle-arm64): one thing to carry, some 115 MiB each',
  },
  cliFrom: {
    type: 'string',
    multiple: true,
    hint: 'file|dir',
    description:
      'Where the importer for --with-cli is; by default this program itself, and what lies beside it',
  },
} as const satisfies ArgsDef

export interface Programs {
  readonly list: readonly Program[]
  /** Bytes read of them by now. */
  readonly given: () => number
}

/** Finds the programs that the flags ask for. */
export async function findPrograms(
  { withCli, cliFrom }: Args<typeof programArgs>,
  signal: AbortSignal,
): Promise<Programs> {
  let given = 0
  const count = (bytes: number): void => {
    given += bytes
  }
  const platforms = platformsOf(withCli, cliFrom)
  const files = platforms.length === 0 ? [] : await candidates(cliFrom)
  const list: Program[] = []
  for (const platform of platforms) list.push(await find(platform, files, cliFrom, signal, count))
  return { list, given: () => given }
}

// --- internal ---

/** In one order, so that the order of the flag does not show in the bundle. */
function platformsOf(withCli: string | undefined, cliFrom: readonly string[]): readonly string[] {
  if (withCli === undefined || withCli === 'false') {
    if (cliFrom.length === 0) return []
    throw usageError('--cli-from is given without --with-cli', { next: 'add --with-cli' })
  }
  const words = (withCli === 'true' ? programArgs.withCli.alone.value : withCli).split(',')
  const unknown = words.find((word) => !['amd64', 'arm64'].includes(word))
  if (unknown !== undefined) {
    throw usageError(`${JSON.stringify(unknown)} is no machine that ma-bundle is built for`, {
      where: 'flag --with-cli',
      next: 'write amd64, arm64 or both with a comma; --cli-from names a file or folder',
    })
  }
  return [...new Set(words)].toSorted().map((word) => `linux/${word}`)
}

/** Files that may be the program: those named, else this program itself and its neighbours, else what was built. */
async function candidates(cliFrom: readonly string[]): Promise<readonly string[]> {
  const own = thisBuild() === undefined ? [] : [process.execPath]
  const places =
    cliFrom.length > 0
      ? cliFrom
      : own.length > 0
        ? [dirname(process.execPath)]
        : [join(import.meta.dirname, '..', '..', '..', 'dist')]
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
        throw usageError(`cannot read it: ${code === 'ENOENT' ? 'there is no such file or folder' : code}`, {
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
  cliFrom: readonly string[],
  signal: AbortSignal,
  count: (bytes: number) => void,
): Promise<Program> {
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
    cliFrom.length > 0 ? 'at --cli-from' : thisBuild() === undefined ? 'in dist/' : 'beside this program'
  const seen = others.length === 0 ? '' : ` (${others.join('; ')})`
  throw usageError(`there is no ma-bundle ${manifest.version} for ${platform} ${where}${seen}`, {
    where: 'flag --with-cli',
    next:
      thisBuild() === undefined
        ? 'make it with "npm run build" in a clone, or name it with --cli-from <file|folder>'
        : 'name it with --cli-from <file|folder>',
  })
}

const none = () => Promise.reject(new Error('manifests are not asked of it'))

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
