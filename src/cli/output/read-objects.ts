import { statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { readSmall, whyUnreadable } from '../../lib/bytes/small-file.ts'
import { textOfList } from '../../bundle/spec/lists/source-text.ts'
import { usageError } from '../../lib/errors.ts'
import type { CommandSession } from '../session.ts'

/** Ten thousand pods, as kubectl prints them. */
const LIMIT = 256 * 1024 * 1024

/**
 * The text of Kubernetes objects: a file, all YAML and JSON files below a folder, or standard input for `-`.
 * @throws a usage error for what cannot be read, is empty or far too large
 */
export async function readObjects(name: string, { stdin }: Pick<CommandSession, 'stdin'>): Promise<string> {
  const text = name === '-' ? await readAll(stdin) : await readPath(name)
  if (text.trim() !== '') return text
  throw usageError('there are no Kubernetes objects: the text is empty', {
    where: name === '-' ? 'standard input' : basename(name),
    next: 'pipe the objects in: kubectl get pods -A -o json | ma-bundle …',
  })
}

// --- internal ---

async function readPath(name: string): Promise<string> {
  if (statSync(name, { throwIfNoEntry: false })?.isDirectory() !== true) return readFile(name)
  const files = (await readdir(name, { recursive: true })).filter((file) => /\.(?:ya?ml|json)$/i.test(file))
  const texts: string[] = []
  for (const file of files.toSorted()) texts.push(await readFile(join(name, file)))
  // Documents of one stream: JSON is YAML as well.
  return texts.map((text) => `---\n${text}\n`).join('')
}

async function readFile(name: string): Promise<string> {
  const bytes = await readSmall(name, LIMIT).catch((error: unknown) => {
    throw usageError(`cannot read the Kubernetes objects: ${whyUnreadable(error)}`, {
      where: basename(name),
      next: 'write them with: kubectl get pods -A -o json > objects.json',
      cause: error,
    })
  })
  return textOfList(bytes, basename(name))
}

async function readAll(stdin: CommandSession['stdin']): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stdin) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    size += bytes.length
    if (size > LIMIT) throw usageError('standard input has more than 256 MiB; give fewer kinds of objects')
    chunks.push(bytes)
  }
  return textOfList(Buffer.concat(chunks), 'standard input')
}
