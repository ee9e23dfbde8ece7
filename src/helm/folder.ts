import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { gzipSync } from 'node:zlib'
import { Header, Pax } from 'tar'
import { parse } from 'yaml'
import { codeOf, messageOf, usageError, type BundleError } from '../lib/errors.ts'
import { isObject } from '../oci/manifest.ts'
import { ignoreRules } from './ignore-file.ts'

/** As much as a chart repository may send. */
const LIMIT = 128 * 1024 * 1024
const MOST_FILES = 10_000

/**
 * Packs the folder of a chart as `helm package` does, `.helmignore` included, but without times and owners: the same
 * files make the same archive. https://helm.sh/docs/helm/helm_package/
 * @param shown what errors call the folder
 * @returns the tgz
 * @throws a usage error for a folder that is no chart, lacks its dependencies, or links out of itself
 */
export async function packFolder(folder: string, shown: string): Promise<Uint8Array> {
  const metadata = await readMetadata(folder, shown)
  const ignored = ignoreRules(await textOf(folder, '.helmignore', shown))
  const files = await listFiles(folder, shown, ignored)
  checkDependencies(metadata, files, shown)
  const parts: Uint8Array[] = []
  for (const path of files)
    parts.push(...entryOf(`${metadata.name}/${path}`, await readFile(join(folder, path))))
  const tgz = gzipSync(Buffer.concat([...parts, new Uint8Array(2 * BLOCK)]), { level: 9 })
  // The system that made it: unknown, as it must not show.
  tgz[9] = 255
  return tgz
}

// --- internal ---

const BLOCK = 512

/** Without owner, time or link: two names of one file are two files. */
function entryOf(path: string, content: Uint8Array): readonly Uint8Array[] {
  const facts = {
    path,
    size: content.length,
    mode: 0o644,
    uid: 0,
    gid: 0,
    uname: '',
    gname: '',
    mtime: new Date(0),
    type: 'File',
  } as const
  const block = Buffer.alloc(BLOCK)
  const isLong = new Header(facts).encode(block, 0)
  const long = isLong ? [new Pax({ path }).encode()] : []
  return [...long, block, content, new Uint8Array((BLOCK - (content.length % BLOCK)) % BLOCK)]
}

interface FolderChart {
  readonly name: string
  readonly dependencies: readonly unknown[]
}

async function readMetadata(folder: string, shown: string): Promise<FolderChart> {
  const text = await textOf(folder, 'Chart.yaml', shown)
  if (text === undefined) {
    throw usageError(`the folder ${shown} holds no chart: it has no Chart.yaml`, {
      next: 'name the folder that Chart.yaml lies in, or a packaged chart (.tgz)',
    })
  }
  let fields: unknown
  try {
    fields = parse(text, { maxAliasCount: 50, logLevel: 'error', uniqueKeys: false })
  } catch (cause) {
    throw usageError(`${shown}/Chart.yaml is not valid YAML: ${messageOf(cause).split('\n', 1)[0]}`, {
      cause,
    })
  }
  const name = isObject(fields) ? fields['name'] : undefined
  if (!isObject(fields) || typeof name !== 'string' || !/^[a-zA-Z0-9][a-zA-Z0-9._-]*$/.test(name))
    throw usageError(`${shown}/Chart.yaml has no proper name`)
  const { dependencies } = fields
  return { name, dependencies: Array.isArray(dependencies) ? dependencies : [] }
}

/** Paths of all files, sorted, Chart.yaml first as helm has it. */
async function listFiles(
  folder: string,
  shown: string,
  ignored: (path: string, isFolder: boolean) => boolean,
): Promise<readonly string[]> {
  const home = await realpath(folder)
  const found: string[] = []
  let bytes = 0
  const walk = async (at: string, depth: number): Promise<void> => {
    if (depth > 32)
      throw usageError(`the folders of ${shown} nest too deep to be a chart, or link in a circle`)
    for (const name of (await readdir(join(folder, at))).toSorted()) {
      const path = at === '' ? name : `${at}/${name}`
      const full = join(folder, path)
      if ((await lstat(full)).isSymbolicLink()) await checkLink(full, home, `${shown}/${path}`)
      const { size, isFolder, isFile } = await kindOf(full)
      if (ignored(path, isFolder)) continue
      if (isFolder) await walk(path, depth + 1)
      if (!isFile) continue
      found.push(path)
      bytes += size
      if (bytes > LIMIT || found.length > MOST_FILES) throw tooLarge(shown)
    }
  }
  await walk('', 0)
  return ['Chart.yaml', ...found.filter((path) => path !== 'Chart.yaml')]
}

async function kindOf(path: string) {
  const found = await stat(path)
  return { size: found.size, isFolder: found.isDirectory(), isFile: found.isFile() }
}

async function checkLink(path: string, home: string, shown: string): Promise<void> {
  const target = await realpath(path).catch((cause: unknown) => {
    throw usageError(`the link ${shown} leads nowhere`, { cause })
  })
  if (target === home || target.startsWith(home + sep)) return
  throw usageError(`the link ${shown} leads out of the chart`, {
    next: 'put the file itself there, or package the chart with helm package',
  })
}

const tooLarge = (shown: string): BundleError =>
  usageError(`${shown} holds more than a chart can: over ${LIMIT} bytes or ${MOST_FILES} files`, {
    next: 'name the folder of one chart; .helmignore leaves out what does not belong to it',
  })

/** Helm refuses to package a chart whose dependencies are not in `charts/`. */
function checkDependencies({ dependencies }: FolderChart, files: readonly string[], shown: string): void {
  const there = new Set(files.flatMap((path) => /^charts\/([^/]+)/.exec(path)?.[1] ?? []))
  const missing = dependencies.flatMap((one) => {
    const name = isObject(one) ? one['name'] : undefined
    if (typeof name !== 'string') return []
    const has = [...there].some((entry) => entry === name || isArchiveOf(entry, name))
    return has ? [] : [name]
  })
  if (missing.length === 0) return
  throw usageError(`the chart ${shown} lacks dependencies in charts/: ${missing.join(', ')}`, {
    next: `run helm dependency build ${shown}`,
  })
}

const isArchiveOf = (entry: string, name: string): boolean =>
  entry.startsWith(`${name}-`) && /^v?\d.*\.tgz$/.test(entry.slice(name.length + 1))

async function textOf(folder: string, name: string, shown: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, name), 'utf8')
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw usageError(`${shown}/${name} cannot be read (${code ?? 'unknown error'})`, { cause: error })
  }
}
