import { formatReference, parseReference } from '../../oci/reference.ts'

/** A reference that stands in a longer text. */
export interface Mention {
  readonly start: number
  readonly text: string
  /** A name without a version in free text, or a host: a part of a reference, or none. */
  readonly versionless?: true
  /** A registry alone; a program adds the name. */
  readonly stem?: true
}

/**
 * How much the place itself says: it takes an image, its name speaks of one, it holds a bare word where an image could
 * stand, or it is any text.
 */
export type Hint = 'image' | 'named' | 'word' | 'none'

/** `image`, `sidecarImage`, `image_prefix`; not `imagePullPolicy`, `imagePullSecrets`. */
export const isImageKey = (key: string): boolean => /image|img/i.test(key) && !NOT_AN_IMAGE.test(key)

/** True for text that is an image reference wherever it stands: a registry's host, or a name with a version. */
export const looksLikeReference = (text: string): boolean => judge(text, 'none')

/** Normalised, or undefined for text that is none. */
export function normalisedReference(text: string): string | undefined {
  try {
    return formatReference(parseReference(text))
  } catch {
    return undefined
  }
}

/** Whether a mention is part of an address on the web (`https://quay.io/team/app:v1`): without a digest it is no image. */
export const isAddress = (text: string, { start, text: token }: Mention): boolean =>
  !token.includes('@sha256:') && ADDRESS.test(text.slice(Math.max(0, start - 16), start))

/** What follows the last slash: a name with its version. */
export const lastSegment = (text: string): string => text.slice(text.lastIndexOf('/') + 1)

/** The same without tag and digest. */
export const nameOf = (text: string): string => text.replace(/@.*$/, '').replace(/:[^:/]*$/, '')

/**
 * A registry, or the beginning of the names in one, to which a program adds the rest.
 * @param place the name of the field that holds it
 * @returns `named` when the place speaks of registries, `host` when only the text itself does
 */
export function looksLikeRegistry(text: string, place: string): 'named' | 'host' | undefined {
  if (!HOSTED.test(text) || NOT_A_REGISTRY.test(place)) return undefined
  const host = text.replace(/[/:].*$/, '')
  const isKnown = KNOWN_HOST.test(host)
  if (REGISTRY_PLACE.test(place)) return isKnown || DOMAIN.test(host) ? 'named' : undefined
  return isKnown && !text.includes('/') && !ANY_REGISTRY.test(host) ? 'host' : undefined
}

/** The beginning of a repository name, to which a program adds the rest: `localstack/lambda-`. */
export const looksLikeStem = (text: string): boolean =>
  /[-_/]$/.test(text) && text.includes('/') && normalisedReference(`${text}x`) !== undefined

/**
 * The references in a text: an argument, a script, a config file, a list joined by commas or lines. `known` accepts
 * what the rules would not, such as names under a private registry.
 */
export function mentionsIn(
  text: string,
  hint: Hint,
  known: (token: string) => boolean = () => false,
): Mention[] {
  if (text.length < 3 || text.length > LONGEST_TEXT) return []
  if (hint === 'image') {
    const trimmed = text.trim()
    return normalisedReference(trimmed) === undefined ? [] : [{ start: text.indexOf(trimmed), text: trimmed }]
  }
  const found: Mention[] = []
  for (const match of text.matchAll(TOKEN)) {
    if (!/[/:@]/.test(match[0]) && !(match[0].includes('.') && known(match[0]))) continue
    const before = text.slice(Math.max(0, match.index - 80), match.index)
    // A shell or template variable: what follows is not a whole name.
    if (/[$%}{]$/.test(before) || /^[{$]/.test(text.slice(match.index + match[0].length))) continue
    const scheme = SCHEME.exec(match[0])?.[0] ?? ''
    const bare = match[0].slice(scheme.length)
    if (scheme !== '' && !(ELSEWHERE.test(scheme) ? /@sha256:/ : /[:@][^/]*$/).test(bare) && !known(bare))
      continue
    const token = bare.replace(/^[-./:@_]+/, '').replace(/[./:@_-]+$/, '')
    if (token.length < 3 || bare.startsWith('/') || bare.startsWith('.')) continue
    const start = match.index + scheme.length + bare.indexOf(token)
    const label = LABEL.exec(before)?.[1]
    const own: Hint =
      label === undefined
        ? hint === 'named' && text.trim() === match[0]
          ? 'named'
          : 'none'
        : isImageKey(label)
          ? 'named'
          : 'none'
    const inherited: Hint = hint === 'named' && (label === undefined || own === 'named') ? 'named' : own
    const stem = bare.slice(bare.indexOf(token))
    if ((inherited === 'named' || known(token)) && looksLikeStem(stem))
      found.push({ start, text: stem, stem: true })
    else if (judge(token, inherited) || known(token))
      found.push({
        start,
        text: token,
        ...(inherited === 'none' && !/[:@]/.test(lastSegment(token)) ? { versionless: true } : {}),
      })
  }
  return found
}

// --- internal ---

const LONGEST_TEXT = 2 * 1024 * 1024
const NOT_AN_IMAGE = /pull|secret|polic|size|gc|quality|imagestream|credential|automation|scan|magick|magine/i
const TOKEN = /[A-Za-z0-9._/:@+-]+/g
const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//
/** Schemes of addresses: what follows the last colon is no tag. */
const ELSEWHERE = /^(?:https?|wss?|tcp|udp|unix|ssh|git|ftp|file):/
/** The end of what stands before a mention. */
const ADDRESS = /(?:https?|wss?|tcp|udp|unix|ssh|git|ftp|file):\/\/$/
/** The name that stands before a value: `image: x`, `"image": "x"`, `IMAGE=x`, `--image x`. */
const LABEL = /([A-Za-z0-9_.-]+)["']?\s*(?:[:=]|\s)\s*["'\\]*$/
const KNOWN_HOST =
  /^(?:docker\.io|index\.docker\.io|registry-1\.docker\.io|quay\.io|ghcr\.io|lscr\.io|(?:[a-z0-9-]+\.)?gcr\.io|k8s\.gcr\.io|registry\.k8s\.io|public\.ecr\.aws|mcr\.microsoft\.com|registry\.gitlab\.com|docker\.elastic\.co|nvcr\.io|cgr\.dev|icr\.io|[a-z0-9-]+\.pkg\.dev|[a-z0-9-]+\.azurecr\.io|registry\.access\.redhat\.com|registry\.redhat\.io|registry\.connect\.redhat\.com|(?:registry|reg|cr|docker|images|oci|xpkg)\.[a-z0-9.-]+|[0-9]{12}\.dkr[.-]ecr.*)$/
/** What anybody may call their own host. */
const ANY_REGISTRY = /^(?:registry|reg|cr|docker|images|oci|xpkg)\.(?!k8s\.io$|gitlab\.com$|elastic\.co$)/
const VERSION =
  /^(?:v?\d+(?:[.-][0-9A-Za-z]+)*|latest|stable|main|master|edge|nightly|release[A-Za-z0-9.-]*)$/
const HOSTED = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?(?:\/[a-z0-9][a-z0-9._-]*)*\/?$/
/** `imageRegistry`, `IMAGE_REPO_URL`, `hub`; not `registration`. */
const REGISTRY_PLACE =
  /regist(?:ry|ries)|(?:^|[._-]|image)hub$|image[._-]?(?:repo|host|prefix)|repo(?:sitory)?(?:[._-]?(?:url|host))?$/i
/** Ends as hosts on the internet do, unlike `spec.global.registry`. */
const DOMAIN =
  /\.(?:[a-z]{2}|com|org|net|dev|app|run|gov|mil|edu|int|biz|info|name|xyz|aws|cloud|tech|tools|build|systems|services|software|solutions|network|digital|host|site|online|engineering|example)$/
/** Lists of what is allowed or refused, and what is fetched from elsewhere. */
const NOT_A_REGISTRY =
  /allow|insecure|deny|block|exclu|ignore|skip|chart|helm|git|maven|npm|schema|secret|credential|auth|email|domain|ingress/i
const NOT_A_NAME =
  /^(?:application|text|apps|batch|etc|var|tmp|usr|opt|home|mnt|proc|sys|dev|bin|api|apis|v1|image|video|audio|http|https|tcp|udp)$/

function judge(token: string, hint: Hint): boolean {
  if (token.includes('://') || token.includes('//') || token.includes('+')) return false
  if (normalisedReference(token) === undefined) return false
  const name = token.replace(/@.*$/, '').replace(/:[^:/]*$/, '')
  const tag = /:([^:/@]+)(?:@|$)/.exec(token.slice(name.length))?.[1]
  const parts = name.split('/')
  const first = parts[0] ?? ''
  const hosted = parts.length > 1 && /[.:]/.test(first)
  if (/@sha256:[0-9a-f]{64}$/.test(token)) return true
  if (hosted) {
    if (/\.(?:svc|local|internal|cluster)$/.test(first.replace(/:\d+$/, '')) && tag === undefined)
      return false
    // `kubernetes.io/os:linux`: a label, or an API group.
    if (/(?:^|\.)(?:kubernetes|k8s|x-k8s)\.io$/.test(first) && !KNOWN_HOST.test(first)) return false
    if (tag !== undefined) {
      if (KNOWN_HOST.test(first)) return true
      // `example.com/path:8443` has a port in a strange place rather than a tag.
      if (hint === 'none' && ((!VERSION.test(tag) && !/\d/.test(tag)) || /^\d{1,5}(?:-\d+)?$/.test(tag)))
        return false
      return /\.[a-z]{2,}$|:\d+$|^localhost/.test(first)
    }
    return KNOWN_HOST.test(first)
      ? hint !== 'none' || parts.length > 2
      : hint !== 'none' && /\.(?:io|com|dev|org|net|co|sh|cloud|aws)$/.test(first)
  }
  if (parts.some((part) => NOT_A_NAME.test(part))) return false
  if (hint === 'none')
    return parts.length > 1 && tag !== undefined && VERSION.test(tag) && /[.]|latest/.test(tag)
  if (tag !== undefined) return VERSION.test(tag) || parts.length > 1
  return parts.length > 1
}
