/** One entry of the error envelope: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes */
export interface RegistryErrorEntry {
  readonly code: string
  readonly message?: string
  readonly detail?: unknown
}

/** What the body of an error answer says: the entries of its envelope, and one line for people. */
export interface Words {
  readonly errors: readonly RegistryErrorEntry[]
  readonly words: string
}

const LONGEST = 600

/** Understands the envelope and what is sent instead of it: other JSON, S3's XML, HTML pages, plain text. */
export function readWords(body: string, contentType: string): Words {
  const text = body.trim()
  if (text === '') return { errors: [], words: '' }
  const json = parse(text)
  if (json !== undefined) {
    const errors = entriesOf(json)
    const words = errors.length > 0 ? errors.map(sentence).join('; ') : (loose(json) ?? '')
    return { errors, words: clean(words === '' ? text : words) }
  }
  if (/^<\?xml|^<Error>/i.test(text)) {
    // S3 repeats the signed request in its errors; only these two elements are safe to show.
    const parts = ['Code', 'Message'].map((tag) => new RegExp(`<${tag}>([^<]*)`).exec(text)?.[1])
    return { errors: [], words: clean(parts.filter(Boolean).join(': ')) }
  }
  if (isHtml(text, contentType)) {
    const title = /<title[^>]*>([^<]*)/i.exec(text)?.[1]?.trim()
    return {
      errors: [],
      words: clean(title === undefined || title === '' ? 'an HTML page' : `an HTML page, "${title}"`),
    }
  }
  return { errors: [], words: clean(text) }
}

export const isHtml = (text: string, contentType: string): boolean =>
  /^\s*text\/html/i.test(contentType) || /^\s*<(?:!doctype html|html)/i.test(text)

// --- internal ---

function parse(text: string): unknown {
  if (!/^[[{]/.test(text)) return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

function entriesOf(json: unknown): readonly RegistryErrorEntry[] {
  const list = isRecord(json) ? json['errors'] : undefined
  if (!Array.isArray(list)) return []
  return list.filter(isRecord).map(({ code, message, detail }) => ({
    code: typeof code === 'string' ? code : 'UNKNOWN',
    ...(typeof message === 'string' ? { message } : {}),
    ...(detail === undefined || detail === null ? {} : { detail }),
  }))
}

function sentence({ code, message, detail }: RegistryErrorEntry): string {
  const more = typeof detail === 'string' && detail !== message ? ` (${detail})` : ''
  return `${code}${message === undefined || message === '' ? '' : `: ${message}`}${more}`
}

/** `{"message": …}`, `{"details": …}` of Docker Hub, `{"error": …, "error_description": …}` of OAuth 2. */
function loose(json: unknown): string | undefined {
  if (!isRecord(json)) return undefined
  const found = ['error', 'message', 'details', 'detail', 'error_description'].map((key) => json[key])
  return found.filter((value) => typeof value === 'string' && value !== '').join(': ')
}

/** One line, no control characters (they could drive a terminal), no query strings (they could be signatures), bounded. */
function clean(text: string): string {
  const line = text
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .replace(/(https?:\/\/[^\s?"'<>]+)\?[^\s"'<>]*/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line
}
