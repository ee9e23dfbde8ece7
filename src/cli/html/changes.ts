import type { Change } from '../../bundle/inspect/changes.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import { html, lineOf, nameOf, type Markup } from './markup.ts'
import { visible } from '../../lib/text/visible.ts'
import type { PageData } from './page-data.ts'

const ORDER: readonly Change['what'][] = ['updated', 'rebuilt', 'added', 'removed']

const MEANING: Readonly<Record<Change['what'], string>> = {
  updated: 'another version',
  rebuilt: 'the same version, other bytes',
  added: 'new',
  removed: 'no longer there',
}

/** What is different from the bundle before. */
export function changes({ file, changes: list, same, bytes }: NonNullable<PageData['since']>): Markup {
  const sizes =
    bytes === undefined
      ? ''
      : ` ${formatBytes(bytes.fresh.bytes)} in ${plural(bytes.fresh.count, 'blob')} are new, ${formatBytes(bytes.shared.bytes)} are in both.`
  const counts = ORDER.map((what) => `${list.filter((one) => one.what === what).length} ${what}`).join(', ')
  const rows = list.toSorted((a, b) => ORDER.indexOf(a.what) - ORDER.indexOf(b.what)).map(row)
  const listing =
    list.length === 0
      ? undefined
      : html`<div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col" data-sort="text">What</th>
                <th scope="col" data-sort="text">Kind</th>
                <th scope="col" data-sort="text" class="name">Name</th>
                <th scope="col">Before</th>
                <th scope="col">Now</th>
                <th scope="col">Platforms</th>
              </tr>
            </thead>
            <tbody>
              ${rows}
            </tbody>
          </table>
        </div>`
  return html`<p>Compared with <code>${lineOf(file)}</code>: ${counts}, ${same} the same.${sizes}</p>
    ${listing}`
}

// --- internal ---

function row({ what, kind, name, before, after, beforeDigest, afterDigest, platforms }: Change): Markup {
  return html`<tr>
    <td data-label="what" data-value="${what}"><b>${what}</b><span class="about">${MEANING[what]}</span></td>
    <td data-label="kind" data-value="${kind}">${kind}</td>
    <th scope="row" class="name" data-value="${visible(name).slice(0, 500)}">${nameOf(name)}</th>
    <td class="wrap" data-label="before">${side(before, beforeDigest)}</td>
    <td class="wrap" data-label="now">${side(after, afterDigest)}</td>
    <td class="wrap" data-label="platforms">
      ${platforms.length === 0 ? '–' : nameOf(platforms.join(', '))}
    </td>
  </tr> `
}

/** Twelve digits tell two apart; the contents below have all of them. */
function side(version: string, digest: string | undefined): Markup {
  if (digest === undefined) return html`–`
  return html`${nameOf(version)}<span class="digest"
      >${digest.slice('sha256:'.length, 'sha256:'.length + 12)}</span
    >`
}
