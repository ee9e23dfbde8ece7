import { BundleError } from '../../../lib/errors.ts'
import { parseReference } from '../../../oci/reference.ts'
import { templateIn, withoutPrefix } from './image-text.ts'
import { createListing, type Listing, type ListPlace } from './listing.ts'

export interface PlainText {
  readonly listing: Listing
  /** Lines that name images, and lines that say something else. */
  readonly named: number
  readonly other: number
}

/**
 * One image a line, as release notes, scripts and `kubeadm config images list` have it: comments, blank lines, list
 * dashes, `image:`, `docker pull`, quotes and trailing columns are passed over.
 */
export function readPlainText(text: string, file: string): PlainText {
  const to = createListing()
  let named = 0
  let other = 0
  for (const [at, written] of text.split(/\r\n|\n|\r/).entries()) {
    // No reference is as long; looking at it would take its size several times over.
    if (written.length > LONGEST_LINE) {
      other += 1
      to.problem({ file, line: at + 1 }, `a line of ${written.length} characters is no image reference`)
      continue
    }
    const line = written.trim().replace(/(?:^|\s)#.*$/, '')
    const place = { file, line: at + 1 }
    if (line === '' || line === '---' || line.startsWith('//')) continue
    if (LOG_LINE.test(line)) {
      to.leaveOut(
        ['line of a log', 'lines of a log'],
        line.slice(0, 60),
        'a log goes to stderr: leave it out with 2>/dev/null',
        place,
      )
      continue
    }
    const { words, platform } = wordsOf(line)
    const images = words.filter((word, index) => isImage(word, index === 0, words.length))
    if (images[0] === words[0] && images.length > 0) named += 1
    else other += 1
    if (images[0] !== words[0] || images.length === 0) noteWrong(line, words[0] ?? '', place, to)
    else
      for (const image of images)
        to.image(image, place, platform === undefined ? {} : { platforms: [platform] })
  }
  return { listing: to.listing, named, other }
}

/** `docker images` and `crictl images`: a heading, then columns. */
export function readTable(text: string, file: string): Listing | undefined {
  const lines = text.split(/\r\n|\n|\r/)
  const head = lines.findIndex((line) => line.trim() !== '')
  const columns = (lines[head] ?? '').trim().split(/\s{2,}/)
  const [first, second] = columns
  if (first !== 'REPOSITORY' && (first !== 'IMAGE' || columns.length < 3)) return undefined
  const digestAt = columns.indexOf('DIGEST')
  const to = createListing()
  for (const [at, line] of lines.entries()) {
    if (at <= head || line.trim() === '') continue
    const cells = line.trim().split(/\s+/)
    const place = { file, line: at + 1 }
    const [name = '<none>', tag = '<none>'] = cells
    const digest = digestAt < 0 ? '<none>' : (cells[digestAt] ?? '<none>')
    if (second !== 'TAG' && name !== '<none>' && name !== '<untagged>') to.image(name, place)
    else if (second === 'TAG' && name !== '<none>' && tag !== '<none>') to.image(`${name}:${tag}`, place)
    else if (second === 'TAG' && name !== '<none>' && digest.startsWith('sha256:'))
      to.image(`${name}@${digest}`, place)
    else {
      const id = cells.find((cell) => ID.test(cell)) ?? name
      to.leaveOut(
        ['image without a name', 'images without a name'],
        id,
        'an ID cannot be pulled: tag it, or list its name',
        place,
      )
    }
  }
  return to.listing
}

// --- internal ---

const LONGEST_LINE = 16 * 1024

const ID = /^(?:sha256:)?[0-9a-f]{12,64}$/
const LOG_LINE =
  /^(?:time=|level=|ts=|[IWEF]\d{4}\s|\[?(?:INFO|WARN|WARNING|ERROR|DEBUG|TRACE)\b|\d{4}[-/]\d\d[-/]\d\d[T ]|\{"(?:level|time|ts|msg)":|Using default tag|Digest: |Status: )/i
const PULL =
  /^(?:\$ |> )?(?:sudo\s+)?(?:docker|podman|nerdctl|crictl|ctr|crane|skopeo)\s+(?:-n\s+\S+\s+|-\S+\s+)*(?:images?\s+)?pull\s+/
const LABEL = /^["']?(?:image|name|reference|ref)["']?\s*[:=]\s*/i

function wordsOf(line: string): { readonly words: readonly string[]; readonly platform: string | undefined } {
  const bare = line
    .replace(/^[-*+]\s+/, '')
    .replace(PULL, '')
    .replace(LABEL, '')
  const platform = /--platform[= ](\S+)\s/.exec(bare)?.[1]
  const words = bare
    .replace(/--platform[= ]\S+\s/, '')
    .split(/\s+/)
    .filter((word) => !word.startsWith('--') && word !== '-q')
    .map((word) => withoutPrefix(word.replace(/[,;]$/, '')))
    .filter((word) => word !== '')
  return { words, platform }
}

/** A lone word may be a short name; among others only what has a path, a tag or a digest is one. */
function isImage(word: string, isFirst: boolean, count: number): boolean {
  if (ID.test(word) || templateIn(word) !== undefined || /[[\]{}|]/.test(word)) return false
  if (!/[/:@]/.test(word) && (!isFirst || count > 1)) return false
  try {
    parseReference(word)
    return true
  } catch (error) {
    if (error instanceof BundleError) return false
    throw error
  }
}

function noteWrong(line: string, word: string, at: ListPlace, to: ReturnType<typeof createListing>): void {
  if (ID.test(word)) to.problem(at, `"${word}" is an ID, which cannot be pulled: list the name of the image`)
  else if (/\s/.test(line) && !/[/:@]/.test(word))
    to.problem(at, `"${line.slice(0, 80)}" is no image reference`)
  else to.image(word, at)
}
