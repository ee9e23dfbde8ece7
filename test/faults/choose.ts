import type { Fault as EcrFault, FaultKind } from '../support/ecr/faults.ts'
import {
  changed,
  cutAfter,
  drip,
  reset,
  stallAfter,
  status,
  tooMany,
  type Fault,
} from '../support/registry/faults.ts'

/** Numbers in [0, 1) that follow from the seed. */
export type Next = () => number

export const pick = <T>(next: Next, list: readonly [T, ...T[]]): T =>
  list[Math.floor(next() * list.length)] ?? list[0]

/** Signals to the program, 30 ms apart. */
export interface Interruption {
  readonly signals: readonly NodeJS.Signals[]
  readonly afterMs: number
}

export function chooseInterruption(next: Next): Interruption {
  const kinds: [readonly NodeJS.Signals[], ...(readonly NodeJS.Signals[])[]] = [
    ['SIGKILL'],
    ['SIGTERM'],
    ['SIGINT'],
    ['SIGINT', 'SIGINT'],
  ]
  return { signals: pick(next, kinds), afterMs: 100 + Math.floor(next() * 1200) }
}

/** What befalls the machine, not the network. */
export type Trouble =
  | { readonly kind: 'clock'; readonly afterMs: number; readonly seconds: number }
  | { readonly kind: 'disk'; readonly afterMs: number; readonly leave: number }
  /** Tokens are not taken any more, as if half a day had passed. */
  | { readonly kind: 'tokens'; readonly afterMs: number }
  /** So many bits of what the first run left are others when the second begins. */
  | { readonly kind: 'rot'; readonly bits: number }
  /** Somebody put an unfinished file there, whose headers are right and whose content is not. */
  | { readonly kind: 'planted'; readonly spare: 'nothing' | 'table' | 'table and sums' }
  /** The same command is run a second time meanwhile. */
  | { readonly kind: 'second'; readonly afterMs: number }
  /** So few files and sockets may be open. */
  | { readonly kind: 'files'; readonly limit: number }

export function chooseTrouble(next: Next, direction: 'export' | 'import' | 'ecr'): Trouble | undefined {
  const afterMs = Math.floor(next() * 1000)
  if (next() < 0.3) return undefined
  if (next() < 0.2) return { kind: 'files', limit: pick(next, [24, 28, 32, 48]) }
  if (direction === 'export' && next() < 0.8) {
    return pick<Trouble>(next, [
      { kind: 'disk', afterMs, leave: Math.floor(next() * 3_000_000) },
      { kind: 'rot', bits: 1 + Math.floor(next() * 4) },
      { kind: 'planted', spare: pick(next, ['nothing', 'table', 'table and sums']) },
      { kind: 'second', afterMs },
    ])
  }
  if (direction === 'ecr' && next() < 0.5) return { kind: 'tokens', afterMs }
  return { kind: 'clock', afterMs, seconds: pick(next, [-86_400, -600, -1, 90, 7200, 13 * 3600, 40_000_000]) }
}

const WHERE: Readonly<Record<string, RegExp>> = {
  manifests: /\/manifests\//,
  blobs: /\/blobs\/sha256/,
  uploads: /^PUT .*\/uploads\//,
  sessions: /^POST .*\/uploads\//,
  all: /./,
}

export interface Chosen<F> {
  readonly name: string
  readonly fault: F
  /** Nothing would happen for a minute: the run needs a signal. */
  readonly stalls: boolean
}

/** Each passes after a few times, as real ones do; runs must bear them or fail in words. */
export function chooseFault(next: Next): Chosen<Fault> {
  const where = pick(next, ['manifests', 'blobs', 'uploads', 'sessions', 'all'])
  const bytes = Math.floor(next() * 500_000)
  const kinds: Readonly<Record<string, Fault['change']>> = {
    reset,
    'cut off': cutAfter(bytes),
    '429': tooMany({ 'retry-after': '0' }),
    '429 for a second': tooMany({ 'retry-after': '1' }),
    '500': status(500, 'oops'),
    '503': status(503, ''),
    '502 page': status(502, '<html><title>Bad Gateway</title>', { 'content-type': 'text/html' }),
    '401': status(401, '', { 'www-authenticate': 'Basic realm="x"' }),
    'wrong bytes': changed(({ body }) => ({
      body: Buffer.from(body.map((byte, at) => (at === bytes % Math.max(body.length, 1) ? byte ^ 1 : byte))),
    })),
    'too short': changed(({ body }) => ({ body: body.subarray(0, Math.floor(body.length / 2)) })),
    slow: drip(64 * 1024, 5),
    stall: stallAfter(bytes),
  }
  const kind = pick(next, ['reset', ...Object.keys(kinds)])
  const every = 1 + Math.floor(next() * 4)
  const times = 1 + Math.floor(next() * 3)
  const change = kinds[kind] ?? reset
  const on = WHERE[where] ?? /./
  return {
    name: `${kind} of ${where}, every ${every}, ${times} times`,
    fault: { on, every, times, change },
    stalls: kind === 'stall',
  }
}

export function chooseEcrFault(next: Next): Chosen<EcrFault> {
  const plane = pick(next, ['dkr', 'dkr', 'api'] as const)
  const afterBytes = Math.floor(next() * 400_000)
  const kinds: Readonly<Record<string, FaultKind>> = {
    '429': { kind: 'status', status: 429 },
    '500': { kind: 'status', status: 500 },
    '503': { kind: 'status', status: 503 },
    'expired token': {
      kind: 'status',
      status: plane === 'dkr' ? 403 : 503,
      body: 'Your authorization token has expired. Reauthenticate and try again.',
    },
    reset: { kind: 'reset', afterBytes },
    stall: { kind: 'stall', afterBytes },
    late: { kind: 'delay', ms: Math.floor(next() * 400) },
    close: { kind: 'close' },
    'lost answer': { kind: 'lose-answer' },
    ...(plane === 'dkr' ? { 'lost tag': { kind: 'lose-tag' } as const } : {}),
  }
  const kind = pick(next, ['close', ...Object.keys(kinds)])
  const skip = Math.floor(next() * 12)
  const times = 1 + Math.floor(next() * 3)
  return {
    name: `${kind} at ${plane} after ${skip}, ${times} times`,
    fault: { on: { plane }, fault: kinds[kind] ?? { kind: 'close' }, skip, times },
    stalls: kind === 'stall',
  }
}
