import { bundledNames, type LoadedSpec } from '../../bundle/spec/bundled.ts'
import { placeText, type NotTaken } from '../../bundle/spec/lists/listing.ts'
import { loadLists } from '../../bundle/spec/lists/load.ts'
import { usageError } from '../../lib/errors.ts'
import { parsePlatform, type Platform } from '../../oci/platform.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import type { Session } from '../session.ts'

/** Flags that say what to bundle; they all add up. */
export const listArgs = {
  spec: {
    type: 'string',
    multiple: true,
    hint: 'file|name|-',
    known: bundledNames(),
    description:
      'What to bundle: a spec, nearly any list of images, Kubernetes manifests (a file, a folder, - for standard input), or a bundled name',
  },
  image: { type: 'string', multiple: true, hint: 'reference', description: 'Take this image' },
  chart: {
    type: 'string',
    multiple: true,
    hint: 'name@version=from',
    description:
      'Take this chart, from https://…, oci://folder, ./folder or ./chart.tgz; a path may stand alone',
  },
} as const satisfies ArgsDef

/** References beside the flags, as they may follow the bundle. */
export const imagesArg = {
  type: 'positional',
  required: false,
  multiple: true,
  description: 'Images to take, as in nginx:1.27',
} as const

/** Everything that says what to bundle, as one spec; what it could not take is reported by name. */
export async function loadGiven(
  { spec, image, chart }: Args<typeof listArgs>,
  session: Session,
  images: readonly string[] = [],
): Promise<LoadedSpec> {
  if (spec.filter((one) => one === '-').length > 1) throw usageError('--spec - is given twice')
  const { notTaken, ...loaded } = await loadLists({
    specs: spec,
    images: [...images, ...image],
    charts: chart,
    stdin: () => readAll(session),
  })
  for (const [message, next] of leftOut(notTaken)) session.emit({ type: 'warning', message, next })
  return loaded
}

/** Whether anything says what to bundle. */
export const saysWhat = (
  { spec, image, chart }: Args<typeof listArgs>,
  images: readonly string[] = [],
): boolean => spec.length + image.length + chart.length + images.length > 0

/** Flags that say what to take, and where from. */
export const sourceArgs = {
  ...listArgs,
  with: {
    type: 'string',
    multiple: true,
    hint: 'group',
    description: 'Take this optional group of the spec along',
  },
  without: {
    type: 'string',
    multiple: true,
    hint: 'group',
    description: 'Leave this group of the spec out',
  },
  platform: {
    type: 'string',
    multiple: true,
    hint: 'os/arch',
    known: ['linux/amd64', 'linux/arm64', 'all'],
    description:
      'Platforms to take, or "all" for everything byte for byte (default: linux/amd64 and linux/arm64)',
  },
  allowMissingPlatform: {
    type: 'boolean',
    description: 'Warn about an image that lacks a platform; do not fail',
  },
  mirror: {
    type: 'string',
    multiple: true,
    hint: 'host=mirror,…',
    description: 'Ask these mirrors before the host, in order; a mirror may have a path',
  },
  referrers: {
    type: 'boolean',
    description: 'Take signatures, attestations and SBOMs of the images and charts along',
  },
  attestations: {
    type: 'enum',
    options: ['keep', 'drop'],
    default: 'keep',
    description:
      'Keep or drop what BuildKit attests within an index; without it, the index gets another digest, and ECR takes images it refuses otherwise',
  },
} as const satisfies ArgsDef

/** `--platform`, given once or often, with commas or without; undefined when it was not given. */
export function platformsFrom(texts: readonly string[]): readonly Platform[] | 'all' | undefined {
  const names = texts.flatMap((text) => text.split(',')).filter((text) => text !== '')
  if (names.length === 0) return undefined
  if (!names.includes('all')) return names.map(parsePlatform)
  if (names.length > 1)
    throw usageError('--platform all stands alone', { next: 'leave the other platforms out' })
  return 'all'
}

// --- internal ---

const NAMES_SHOWN = 10
/** As much as a list may have. */
const STDIN_LIMIT = 256 * 1024 * 1024

async function readAll({ stdin }: Session): Promise<Uint8Array> {
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
