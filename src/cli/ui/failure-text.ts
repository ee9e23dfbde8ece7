import type { FailureReport, RootFailure } from '../../bundle/run/failure-report.ts'
import { oneLine, type Style } from './style.ts'
import { withoutRequest } from './words.ts'

/**
 * A failure for people. Roots that failed for the same reason share one paragraph, worst first, so that sixty images
 * behind one dead host are one thing to fix. Causes and stacks only when `verbose`.
 */
export function failureText(report: FailureReport, style: Style, verbose: boolean): string {
  const lines = [`${style.red('error:')} ${style.bold(block(report.message))}`]
  lines.push(...factLines(report, style, verbose))
  const failures = report.isOneCause === true && !verbose ? [] : (report.failures ?? [])
  for (const group of grouped(failures)) lines.push('', ...groupLines(group, style, verbose))
  if (report.failures !== undefined && report.next !== undefined)
    lines.push('', nextLine(report.next, style, ''))
  if (verbose && report.stack !== undefined) lines.push(style.dim(report.stack))
  return `${lines.join('\n')}\n`
}

// --- internal ---

function factLines(report: FailureReport, style: Style, verbose: boolean): string[] {
  const lines: string[] = []
  if (report.where !== undefined) lines.push(`  ${style.dim('where:')} ${oneLine(report.where)}`)
  if (verbose) for (const cause of report.causes) lines.push(`  ${style.dim('cause:')} ${block(cause)}`)
  if (report.next !== undefined && report.failures === undefined)
    lines.push(nextLine(report.next, style, '  '))
  return lines
}

/** Text of several lines stays so, indented; nothing in it can steer the terminal. */
const block = (text: string): string => text.split('\n').map(oneLine).join('\n    ')

const nextLine = (next: string, style: Style, indent: string): string =>
  `${indent}${style.cyan('next:')}  ${block(next)}`

/** Names of one group; of more, the first few suffice to recognise it. */
const MOST_LINES = 12
const SHOWN = 5

type Group = readonly [RootFailure, ...RootFailure[]]

/** Keeps the order of the first of each group. */
function grouped(failures: readonly RootFailure[]): Group[] {
  const groups = new Map<string, [RootFailure, ...RootFailure[]]>()
  for (const failure of failures) {
    const { kind, message, next } = failure.error
    // The same fault on two images differs in their names and in what was asked for them only.
    const own = withoutRequest(message.replaceAll(failure.name, '')).replaceAll(/arn:[^\s"',]+/g, 'arn')
    const key = JSON.stringify([kind, own, next])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [failure])
    else group.push(failure)
  }
  return [...groups.values()]
}

function groupLines(group: Group, style: Style, verbose: boolean): string[] {
  const [{ error }] = group
  const reason = block(withoutRequest(error.message))
  const lines = group.length > 1 ? [`${style.red(kindWords[error.kind])} (${group.length}): ${reason}`] : []
  if (group.length > MOST_LINES && !verbose) {
    const names = group.map(({ root, name }) => `${root} ${oneLine(name)}`)
    lines.push(...names.slice(0, SHOWN).map((name) => `  ${name}`))
    lines.push(`  and ${names.length - SHOWN} more (--verbose lists all)`)
    if (error.next !== undefined) lines.push(nextLine(error.next, style, '  '))
    return lines
  }
  for (const { root, name, error: own } of group) {
    const label = `${root} ${oneLine(name)}`
    if (group.length === 1)
      lines.push(`${style.red(kindWords[error.kind])}: ${label}`, `  ${block(error.message)}`)
    else lines.push(`  ${label}`)
    if (own.where !== undefined && !own.where.includes(name)) {
      lines.push(`  ${group.length > 1 ? '  ' : ''}${style.dim('where:')} ${oneLine(own.where)}`)
    }
    if (verbose) for (const cause of own.causes) lines.push(`    ${style.dim('cause:')} ${block(cause)}`)
  }
  if (error.next !== undefined) lines.push(nextLine(error.next, style, '  '))
  return lines
}

const kindWords: Readonly<Record<FailureReport['kind'], string>> = {
  bug: 'bug',
  integrity: 'damaged',
  auth: 'not permitted',
  usage: 'wrong input',
  failed: 'failed',
  network: 'unavailable',
  cancelled: 'stopped',
}
