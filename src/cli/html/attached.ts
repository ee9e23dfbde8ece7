import type { Attached } from '../../bundle/inspect/attached.ts'
import { html, nameOf, type Markup } from './markup.ts'
import { visible } from '../../lib/text/visible.ts'

/** The signatures, attestations and SBOMs that the bundle includes, by what they are about. */
export function attachedTable(list: readonly Attached[]): Markup {
  const rows = list.map(
    ({ about, of, type, digest }) =>
      html`<tr>
        <th scope="row" class="name" data-value="${visible(of ?? '').slice(0, 500)}">
          ${of === undefined ? html`<span class="muted">not in the bundle</span>` : nameOf(of)}<span
            class="digest"
            >${about}</span
          >
        </th>
        <td class="wrap" data-label="type" data-value="${visible(type).slice(0, 500)}">${nameOf(type)}</td>
        <td class="wrap" data-label="digest"><code>${digest}</code></td>
      </tr> `,
  )
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col" data-sort="text" class="name">About</th>
          <th scope="col" data-sort="text">Type</th>
          <th scope="col">Digest</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`
}
