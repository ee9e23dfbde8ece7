import { basename } from 'node:path'
import { collect } from '../../lib/bytes/bytes.ts'
import { usageError } from '../../lib/errors.ts'
import { openBundle, type Bundle } from '../format/open.ts'
import { decodeLock, type Lock } from '../spec/lock-file.ts'
import { mediumAt } from './at.ts'
import type { MediumOptions } from './medium.ts'
import { checkTrust, type SignatureOptions } from './trust.ts'

/** A file that lists what a site has: a bundle, a lock, or an inventory as text. */
export type BaseFile =
  | { readonly kind: 'bundle'; readonly bundle: Bundle; close(): Promise<void> }
  | { readonly kind: 'lock'; readonly lock: Lock; close(): Promise<void> }
  | { readonly kind: 'text'; readonly text: string; close(): Promise<void> }

/**
 * Opens it by what it begins with. A bundle must be signed by the key that is given, beside it; a lock and an inventory
 * have no signature.
 * @param inventory the first words of an inventory
 */
export async function openBase(
  path: string,
  options: MediumOptions & SignatureOptions,
  inventory?: string,
): Promise<BaseFile> {
  const medium = await mediumAt(path, options)
  const file = await medium.open()
  try {
    const start = new TextDecoder().decode(await collect(file.read(0, Math.min(file.size, START))))
    const isText =
      inventory !== undefined && start.trimStart().replace(/^#\s*/, '').toLowerCase().startsWith(inventory)
    if (!isText && !start.trimStart().startsWith('{')) {
      const bundle = await openBundle(file)
      await checkTrust(bundle, medium, { ...options, signature: undefined })
      return { kind: 'bundle', bundle, close: () => file.close() }
    }
    if (file.size > TEXT_LIMIT)
      throw usageError(`neither a bundle nor a lock: ${file.size} bytes of text`, { where: basename(path) })
    const text = new TextDecoder().decode(await collect(file.read(0, file.size)))
    await file.close()
    const close = (): Promise<void> => Promise.resolve()
    return isText
      ? { kind: 'text', text, close }
      : { kind: 'lock', lock: decodeLock(text, basename(path)), close }
  } catch (error) {
    await file.close()
    throw error
  }
}

// --- internal ---

const START = 64
const TEXT_LIMIT = 64 * 1024 * 1024
