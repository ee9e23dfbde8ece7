import type { BundleEvent, Phase } from '../../bundle/run/events.ts'
import { formatBytes, formatDuration, formatRate, plural } from '../../lib/format.ts'
import { etaMs, fraction, type Progress } from './progress.ts'
import { oneLine, type Style } from './style.ts'

type EventOf<Type extends BundleEvent['type']> = Extract<BundleEvent, { type: Type }>

export const phaseWords: Readonly<Record<Phase, string>> = {
  resolve: 'resolving',
  prove: 'rendering charts',
  transfer: 'transferring',
  check: 'reading back',
  finish: 'finishing',
}

/** `warning: …`, with where and next on lines of their own. */
export function warningText({ message, where, next }: EventOf<'warning'>, style: Style): string {
  const lines = [`${style.yellow('warning:')} ${oneLine(message)}`]
  if (where !== undefined) lines.push(`  ${style.dim('where:')} ${oneLine(where)}`)
  if (next !== undefined) lines.push(`  ${style.cyan('next:')}  ${oneLine(next)}`)
  return `${lines.join('\n')}\n`
}

/** `a.io answered 401 to GET https://…: UNAUTHORIZED` is the same for every image of a host without the address. */
export const withoutRequest = (message: string): string =>
  message.replaceAll(/ to (?:GET|HEAD|POST|PUT|PATCH|DELETE) https?:\/\/\S+?(?=:? |:?$)/gm, '')

export function retryText({ host, what, attempt, waitMs, reason }: EventOf<'retry'>): string {
  const place = what.startsWith(host) ? '' : ` at ${host}`
  return `retry ${attempt} of ${oneLine(what)}${place} in ${formatDuration(waitMs)}: ${oneLine(withoutRequest(reason))}`
}

export const waitText = (host: string, reason: string, ms: number): string =>
  `waiting for ${host}: ${oneLine(reason)}, ${formatDuration(Math.max(1000, ms))}`

/** `image quay.io/x/y:1 pushed sha256:…`. */
export const rootText = ({ kind, name, outcome, digest }: EventOf<'root'>): string =>
  [kind, oneLine(name), outcome, ...(digest === undefined ? [] : [digest])].join(' ')

/** What went wrong and was repaired. */
export interface ProblemTally {
  readonly retries: number
  readonly warnings: number
}

/** ` (3 retries, 1 warning)`, for the end of a sentence; nothing when all went well. */
export function tallyText({ retries, warnings }: ProblemTally): string {
  const parts = [
    ...(retries === 0 ? [] : [plural(retries, 'retry', 'retries')]),
    ...(warnings === 0 ? [] : [plural(warnings, 'warning')]),
  ]
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`
}

/** `43 %, 1.20 GiB of 2.80 GiB, 110 MiB/s, 14 s left`, or the count of items where no bytes are known. */
export function totalText(progress: Progress, now: number): string {
  const parts: string[] = []
  const rate = progress.rate.perSecond(now)
  const eta = etaMs(progress, now)
  if (progress.bytes > 0) {
    parts.push(
      `${percent(progress)} %`,
      `${formatBytes(progress.bytesDone)} of ${formatBytes(progress.bytes)}`,
    )
    if (rate !== undefined) parts.push(formatRate(rate))
    if (eta !== undefined) parts.push(`${formatDuration(Math.max(1000, eta))} left`)
  } else parts.push(`${progress.itemsDone} of ${progress.items}`)
  if (progress.flights.size > 0) parts.push(`${progress.flights.size} in flight`)
  if (progress.retries > 0) parts.push(plural(progress.retries, 'retry', 'retries'))
  if (progress.failed > 0) parts.push(`${progress.failed} failed`)
  return parts.join(', ')
}

/** Whole percent, rounded down: 100 means done. */
export const percent = (progress: Progress): number => Math.floor(fraction(progress) * 100)
