import type { MediumOptions } from '../bundle/media/medium.ts'
import type { LoadedSpec } from '../bundle/spec/bundled.ts'
import { placeText, type NotTaken } from '../bundle/spec/lists/listing.ts'
import { loadLists } from '../bundle/spec/lists/load.ts'
import { usageError } from '../lib/errors.ts'

/** What to bundle; it all adds up. With nothing of it, it is the newest Migration Assistant. */
export interface ListSettings {
  /** Specs, lists and manifests: files, folders, bundled names, `-` for standard input. */
  readonly specs: readonly string[]
  /** References. */
  readonly images: readonly string[]
  /** `name@version=from`, or the path of a folder or package. */
  readonly charts: readonly string[]
  /** Manifests to carry along: files and folders. */
  readonly manifests?: readonly string[]
}

/** Everything that says what to bundle, as one spec; what it could not take is reported by name. */
export async function loadSpecs(
  { specs, images, charts, manifests = [] }: ListSettings,
  { stdin, emit }: MediumOptions,
): Promise<LoadedSpec> {
  if (specs.filter((one) => one === '-').length > 1) throw usageError('--spec - is given twice')
  const { notTaken, ...loaded } = await loadLists({
    specs,
    images,
    charts,
    manifests,
    stdin: () => readAll(stdin),
  })
  for (const [message, next] of leftOut(notTaken)) emit({ type: 'warning', message, next })
  return loaded
}

/** Whether anything says what to bundle. */
export const saysWhat = ({ specs, images, charts, manifests = [] }: ListSettings): boolean =>
  specs.length + images.length + charts.length + manifests.length > 0

// --- internal ---

const NAMES_SHOWN = 10
/** As much as a list may have. */
const STDIN_LIMIT = 256 * 1024 * 1024

async function readAll(stdin: MediumOptions['stdin']): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > STDIN_LIMIT) throw usageError('what standard input gives is no list: more than 256 MiB')
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

/** One line for all that is left out for one reason. */
function leftOut(notTaken: readonly NotTaken[]): readonly (readonly [string, string])[] {
  const byReason = Map.groupBy(notTaken, ({ what, why }) => `${what[1]} ${why}`)
  return [...byReason.values()].map((some) => {
    const [first] = some
    if (first === undefined) return ['', '']
    const names = [...new Set(some.map(({ name, at }) => `${name} (${placeText(at)})`))]
    const shown = names.slice(0, NAMES_SHOWN).join(', ')
    const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : ''
    const head =
      names.length === 1
        ? `1 ${first.what[0]} is not carried`
        : `${names.length} ${first.what[1]} are not carried`
    return [`${head}: ${shown}${more}`, first.why]
  })
}
