import type { ErrorKind } from '../lib/errors.ts'
import type { RegistryErrorEntry } from './error-body.ts'

/** What a registry refused, as far as it decides what helps. */
export interface RegistryRefusal {
  readonly method: string
  readonly url: string
  readonly status: number
  readonly errors: readonly RegistryErrorEntry[]
  /** The registry's own, as one line. */
  readonly words: string
  readonly waitMs?: number | undefined
  /** By its name in references, which is what people log in to. */
  readonly registry: string
  /** Whether anything but anonymous was sent. */
  readonly authenticated: boolean
}

/** What to do about a refusal. */
export interface Advice {
  /** One sentence without the final full stop. */
  readonly next: string
  /** Where the status says something else than what happened. */
  readonly kind?: ErrorKind
  /** Where the status says that it may pass, and it does not. */
  readonly isFinal?: true
}

/** The first row that fits; undefined where nothing better is known than the registry's own words. */
export function adviceFor(refusal: RegistryRefusal): Advice | undefined {
  const row = ROWS.find(({ when }) => when(refusal))
  if (row === undefined) return undefined
  const { next, kind, isFinal } = row
  return {
    next: typeof next === 'string' ? next : next(refusal),
    ...(kind === undefined ? {} : { kind }),
    ...(isFinal === undefined ? {} : { isFinal }),
  }
}

// --- internal ---

interface Row extends Omit<Advice, 'next'> {
  readonly when: (refusal: RegistryRefusal) => boolean
  readonly next: string | ((refusal: RegistryRefusal) => string)
}

const hostOf = ({ url }: RegistryRefusal): string => new URL(url).host
const isPush = ({ method }: RegistryRefusal): boolean => method !== 'GET' && method !== 'HEAD'
const has = ({ errors }: RegistryRefusal, ...codes: readonly string[]): boolean =>
  errors.some(({ code }) => codes.includes(code))
const says = ({ words, errors }: RegistryRefusal, pattern: RegExp): boolean =>
  pattern.test(words) || pattern.test(JSON.stringify(errors))
const isAt = ({ url }: RegistryRefusal, part: 'manifests' | 'blobs' | 'uploads' | 'tags'): boolean =>
  new URL(url).pathname.includes(`/${part}/`)
const isByDigest = ({ url }: RegistryRefusal): boolean => /\/sha256:[0-9a-f]{64}$/.test(new URL(url).pathname)
const isEcr = ({ registry }: RegistryRefusal): boolean => /\.dkr[.-]ecr\b|^public\.ecr\.aws$/.test(registry)
/** Some hide what is private behind a 404, and still say why. */
const isDenied = ({ status, errors }: RegistryRefusal): boolean =>
  status === 401 || status === 403 || (status === 404 && errors.some(({ code }) => code === 'UNAUTHORIZED'))
const login = ({ registry }: RegistryRefusal): string =>
  `docker login ${registry}, or --username ${registry}=<name> and --password-stdin`

/** By code, verb and host; what a registry says in words comes before what its status says. */
const ROWS: readonly Row[] = [
  {
    when: (one) => one.status === 429 && says(one, /pull rate limit|data limit|quota/i),
    next: 'log in to get a larger quota, wait, or take the images from a mirror (--mirror docker.io=mirror.gcr.io)',
  },
  {
    when: (one) => isPush(one) && says(one, /immutable/i),
    next: 'the tag stands for something else there and may not be moved: have it deleted or made mutable there, or import to another place with --prefix',
    kind: 'failed',
  },
  {
    when: (one) =>
      isPush(one) &&
      one.status !== 429 &&
      says(one, /quota|exceed\w* the configured upper limit|storage limit|limit exceeded/i),
    next: (one) =>
      `${hostOf(one)} has no room left for this: have its quota raised, or delete what is not needed there, then run the same command again`,
    kind: 'failed',
    isFinal: true,
  },
  {
    when: (one) => isPush(one) && says(one, /no space left|ENOSPC|"Err":28\b|disk is full/i),
    next: (one) => `the disk of ${hostOf(one)} is full: have it made larger, then run the same command again`,
    kind: 'failed',
    isFinal: true,
  },
  {
    when: (one) =>
      one.method === 'PUT' && isAt(one, 'manifests') && has(one, 'MANIFEST_BLOB_UNKNOWN', 'BLOB_UNKNOWN'),
    next: 'run the same command again with --repair, which looks for each blob; of an image with foreign layers, the registry has to allow their addresses (in distribution: validation.manifests.urls.allow)',
    kind: 'failed',
    isFinal: true,
  },
  {
    when: (one) => isPush(one) && (has(one, 'NAME_UNKNOWN') || (one.status === 404 && one.method === 'POST')),
    next: (one) =>
      `${hostOf(one)} does not make repositories or projects by itself: have them made there, or import to a place that is there with --registry <host>/<project> and --prefix`,
  },
  {
    when: (one) => isPush(one) && has(one, 'NAME_INVALID'),
    next: (one) =>
      `${hostOf(one)} does not take such names: import to another place with --registry <host>/<project> and --prefix; some registries take names of two parts only`,
  },
  {
    when: (one) =>
      isPush(one) && one.status === 405 && !(isAt(one, 'manifests') && says(one, /Invalid JSON/i)),
    next: (one) =>
      `${hostOf(one)} takes no pushes: it may be read-only, a mirror or a pull-through cache; name the registry behind it with --registry`,
  },
  {
    when: (one) => one.status === 407,
    next: 'the proxy requires a login: put user and password into HTTPS_PROXY (http://user:password@proxy:port)',
  },
  {
    when: (one) => isDenied(one) && isEcr(one) && one.authenticated,
    next: ({ registry }) =>
      `what is missing is shown by: ma-bundle doctor --registry ${registry}; the least policy is printed by: ma-bundle iam-policy --registry ${registry}`,
    kind: 'auth',
  },
  {
    when: (one) => isDenied(one) && isPush(one) && one.authenticated,
    next: (one) =>
      `check that the credentials for ${one.registry} are current and may push there; others are given with --username ${one.registry}=<name> and --password-stdin`,
    kind: 'auth',
  },
  {
    when: (one) => isDenied(one) && isPush(one),
    next: (one) => `log in to push: ${login(one)}`,
    kind: 'auth',
  },
  {
    when: (one) => isDenied(one) && one.authenticated,
    next: ({ registry }) => `check that the credentials for ${registry} are current and allow this`,
    kind: 'auth',
  },
  {
    when: isDenied,
    next: (one) => `check the name; if it is private, log in: ${login(one)}`,
    kind: 'auth',
  },
  // nginx's words for what it wants of a client that it does not know.
  {
    when: (one) => one.status === 400 && says(one, /SSL certificate/i),
    next: (one) => `pass --client-cert ${hostOf(one)}=cert.pem,key.pem`,
  },
  {
    when: (one) => one.status === 400 && says(one, /plain HTTP request/i),
    next: (one) => `leave out --insecure-registry ${hostOf(one)}`,
  },
  {
    when: (one) => one.status === 404 && !isPush(one) && isAt(one, 'blobs'),
    next: 'the manifest is right and the registry lost this part of it: take the image from a mirror (--mirror), or have it pushed again',
  },
  {
    when: (one) => one.status === 404 && !isPush(one) && isAt(one, 'manifests') && isByDigest(one),
    next: 'check the digest; the registry may have deleted it: take the image from a mirror (--mirror), or name it by its tag',
  },
  {
    when: (one) => one.status === 404 && has(one, 'NAME_UNKNOWN'),
    next: 'repository not found: check the name and the registry',
  },
  { when: (one) => one.status === 404 && isAt(one, 'uploads'), next: 'run the same command again' },
  { when: ({ status }) => status === 404, next: 'check the name, the tag and the registry' },
  {
    when: ({ status }) => status === 413,
    next: 'the registry, or a proxy in front of it, limits the size of uploads: have its limit raised (in nginx: client_max_body_size 0), then run the same command again',
  },
  {
    when: ({ status }) => status === 429,
    next: ({ waitMs }) =>
      waitMs === undefined
        ? 'run it again later, lower --concurrency, or use a mirror'
        : `run it again in ${Math.ceil(waitMs / 60_000)} min, as the registry asks, or use a mirror`,
  },
  {
    when: ({ status }) => status < 400,
    next: (one) => `check that ${hostOf(one)} is a registry; login pages and portals answer like this`,
  },
  {
    when: ({ status }) => status >= 500 && status !== 501,
    next: (one) => `run it again later; if it stays so, ask who runs ${hostOf(one)}`,
  },
]
