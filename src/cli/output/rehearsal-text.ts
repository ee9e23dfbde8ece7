import type { Rehearsal, Rehearsed } from '../../bundle/site/rehearse/rehearse.ts'
import { plural } from '../../lib/format.ts'

/** What would fail, each cause once with the references it is the cause of, and the sentence an operator wants. */
export function rehearsalText(rehearsal: Rehearsal): string {
  const causes = new Map<string, { next: string; pulls: Rehearsed[] }>()
  for (const pull of rehearsal.pulls) {
    if (pull.cause === undefined) continue
    const key = `${generic(pull)} ${pull.cause.next}`
    const known = causes.get(key) ?? { next: pull.cause.next, pulls: [] }
    known.pulls.push(pull)
    causes.set(key, known)
  }
  const blocks = [...causes.values()].map(({ next, pulls }) => {
    const lines = pulls.map(
      ({ reference, platform, cause }) => `  ${reference} (${platform}): ${cause?.what ?? ''}`,
    )
    return [...lines, `  next: ${next}`].join('\n')
  })
  return `${[...blocks, verdictOf(rehearsal)].join('\n\n')}\n`
}

/** `58 references, 2 platforms, 0 would fail` */
export function verdictOf({ pulls, platforms, requests }: Rehearsal): string {
  const references = new Set(pulls.map(({ reference }) => reference)).size
  const failing = new Set(pulls.flatMap(({ reference, cause }) => (cause === undefined ? [] : [reference])))
    .size
  return `${plural(references, 'reference')}, ${plural(platforms.length, 'platform')}, ${failing} would fail (${plural(requests, 'request')})`
}

// --- internal ---

/** The cause without what differs from image to image. */
const generic = ({ cause }: Rehearsed): string => (cause?.what ?? '').replaceAll(/\S*[/@:]\S*/g, '')
