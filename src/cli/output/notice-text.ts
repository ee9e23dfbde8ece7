import type { Notice } from '../../setup/source.ts'
import { hubText } from './forecast.ts'

/** A notice in words: one line. */
export function noticeText(notice: Notice): string {
  switch (notice.type) {
    case 'no-helm':
      return 'No helm on the PATH: what the charts pull is judged by what was measured for their versions. Give --helm <program> to prove it.\n'
    case 'other-than-lock':
      return `Other ${notice.what.join(', ')} than the lock was made with: it pins the digests, but the bundle will have other bytes.\n`
    default:
      return `Docker Hub ${hubText(notice.budget)}\n`
  }
}
