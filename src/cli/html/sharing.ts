import type { Anatomy, Item, SizedPart } from '../../bundle/inspect/sizes.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import { html, nameOf, type Markup } from './markup.ts'
import { visible } from '../../lib/text/visible.ts'

/** The blobs that several items have, those first that save most. */
export function sharing({ blobs, items }: Anatomy): Markup {
  const shared = blobs.filter((blob) => blob.items.length > 1 && blob.size > 0)
  if (shared.length === 0) return html`<p>No two items have a blob in common.</p>`
  const saved = shared.toSorted((a, b) => savedBy(b) - savedBy(a))
  const rest = saved.slice(SHOWN)
  const more =
    rest.length === 0
      ? undefined
      : html`<p class="muted">
          ${plural(rest.length, 'more shared blob')} save
          ${formatBytes(rest.reduce((sum, blob) => sum + savedBy(blob), 0))}.
        </p>`
  return html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col" class="name">Blob</th>
            <th scope="col" data-sort="number" class="number">Size</th>
            <th scope="col" data-sort="number" class="number" aria-sort="descending">Saves</th>
            <th scope="col">In</th>
          </tr>
        </thead>
        <tbody>
          ${saved.slice(0, SHOWN).map((blob) => row(blob, items))}
        </tbody>
      </table>
    </div>
    ${more}`
}

/** How much each platform would weigh alone. */
export function platformTable({ platforms }: Anatomy): Markup {
  if (platforms.length === 0) return html`<p>No image names a platform.</p>`
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col" class="name" data-sort="text">Platform</th>
          <th scope="col" data-sort="number" class="number">Images</th>
          <th scope="col" data-sort="number" class="number">Layers and manifests of it</th>
        </tr>
      </thead>
      <tbody>
        ${platforms.map(
          ({ platform, images, size }) =>
            html`<tr>
              <th scope="row" class="name" data-value="${visible(platform)}">${nameOf(platform)}</th>
              <td class="number" data-label="images" data-value="${images}">${images}</td>
              <td class="number" data-label="size" data-value="${size}">${formatBytes(size)}</td>
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`
}

// --- internal ---

const SHOWN = 40
const NAMED = 6

const savedBy = ({ size, items }: SizedPart): number => size * (items.length - 1)

function row(blob: SizedPart, items: readonly Item[]): Markup {
  const names = blob.items.map((at) => items[at]?.name ?? '')
  const named = names.slice(0, NAMED).map((name) => html`<li>${nameOf(name)}</li>`)
  const others =
    names.length <= NAMED ? undefined : html`<li class="muted">and ${names.length - NAMED} more</li>`
  return html`<tr>
    <th scope="row" class="name"><code>${blob.digest}</code></th>
    <td class="number" data-label="size" data-value="${blob.size}">${formatBytes(blob.size)}</td>
    <td class="number" data-label="saves" data-value="${savedBy(blob)}">${formatBytes(savedBy(blob))}</td>
    <td class="wrap">
      <details>
        <summary>${plural(blob.items.length, 'item')}</summary>
        <ul class="plain">
          ${named}${others}
        </ul>
      </details>
    </td>
  </tr> `
}
