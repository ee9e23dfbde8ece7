import { Parser } from 'tar'
import { gunzipSync } from 'node:zlib'
import { BundleError, messageOf } from '../../../lib/errors.ts'

/** Regular files of a chart by path inside of it. */
export type ChartFiles = ReadonlyMap<string, Uint8Array>

const UNPACKED_LIMIT = 256 * 1024 * 1024
const FILES_LIMIT = 20_000
const NESTING_LIMIT = 10

/**
 * The files of a packaged chart by path (`templates/…`), with the folders of subcharts in place of their nested tgz.
 * Links, absolute paths
 * and `..` are refused, as is anything that unpacks to more than 256 MiB or 20,000 files in all.
 * @throws BundleError `failed` that names the file and what is wrong with it
 */
export function chartFiles(tgz: Uint8Array, where = 'chart'): ChartFiles {
  const budget: Budget = { bytes: UNPACKED_LIMIT, files: FILES_LIMIT }
  return flattened(unpack(tgz, where, budget), where, budget, 0)
}

export const broken = (where: string, why: string, cause?: unknown): BundleError =>
  new BundleError(`the chart cannot be read: ${why}`, {
    kind: 'failed',
    where,
    ...(cause === undefined ? {} : { cause }),
  })

// --- internal ---

type Files = Map<string, Uint8Array>

interface Budget {
  bytes: number
  files: number
}

/** Regular files by path, without the top folder (`<name>/`). One budget covers nested archives too. */
function unpack(tgz: Uint8Array, where: string, budget: Budget): Files {
  let tar: Uint8Array
  try {
    tar = gunzipSync(tgz, { maxOutputLength: Math.max(1, budget.bytes) })
  } catch (cause) {
    throw broken(where, `it is not a gzip of at most ${UNPACKED_LIMIT} bytes: ${messageOf(cause)}`, cause)
  }
  budget.bytes -= tar.length
  const files: Files = new Map()
  let failure: BundleError | undefined
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      const path = entry.path.replace(/^\.\//, '')
      const { type } = entry
      if (type === 'SymbolicLink' || type === 'Link') failure ??= broken(where, `"${path}" is a link`)
      if (path.startsWith('/') || path.split('/').includes('..'))
        failure ??= broken(where, `"${path}" points outside of it`)
      budget.files -= 1
      if (budget.files < 0) failure ??= broken(where, `it holds more than ${FILES_LIMIT} files`)
      const chunks: Uint8Array[] = []
      entry.on('data', (chunk: Uint8Array) => chunks.push(chunk))
      entry.on('end', () => {
        const slash = path.indexOf('/')
        if (failure === undefined && (type === 'File' || type === 'OldFile') && slash > 0)
          files.set(path.slice(slash + 1), Buffer.concat(chunks))
      })
    },
  })
  parser.on('error', (cause: unknown) => {
    failure ??= broken(where, `the tar is damaged: ${messageOf(cause)}`, cause)
  })
  // Given a whole tar, the parser does all its work before end() returns.
  parser.end(Buffer.from(tar.buffer, tar.byteOffset, tar.byteLength))
  if (failure !== undefined) throw failure
  return files
}

function flattened(files: Files, where: string, budget: Budget, depth: number): Files {
  if (depth > NESTING_LIMIT) throw broken(where, `subcharts nest deeper than ${NESTING_LIMIT}`)
  const flat: Files = new Map()
  for (const [path, content] of files) {
    const packed = /^((?:.*\/)?charts\/[^/]+)\.tgz$/.exec(path)?.[1]
    if (packed === undefined) flat.set(path, content)
    else {
      const at = `${where}, ${path}`
      for (const [inner, bytes] of flattened(unpack(content, at, budget), at, budget, depth + 1))
        flat.set(`${packed}/${inner}`, bytes)
    }
  }
  return flat
}
