import type { Item } from '../../bundle/inspect/sizes.ts'
import { formatBytes } from '../../lib/format.ts'
import { html, nameOf, type Markup } from './markup.ts'
import { visible } from '../../lib/text/visible.ts'

/** Every item with its digest and what it weighs, the largest first, to be searched and sorted. */
export function contents(items: readonly Item[]): Markup {
  const largest = Math.max(1, ...items.map(({ size }) => size))
  const rows = items
    .map((item, at) => ({ item, at }))
    .toSorted((a, b) => b.item.size - a.item.size || a.at - b.at)
    .map(({ item, at }) => row(item, at, largest))
  const kinds = [...new Set(items.map(({ kind }) => kind))].toSorted()
  return html`<div class="controls" data-script hidden role="search">
      <div>
        <label for="search">Search names, digests, platforms, licences</label
        ><input id="search" type="search" autocomplete="off" spellcheck="false" />
      </div>
      <div>
        <label for="kind">Kind</label
        ><select id="kind">
          <option value="">all</option>
          ${kinds.map((kind) => html`<option value="${kind}">${kind}</option>`)}
        </select>
      </div>
      <span id="count" role="status" class="muted"></span>
    </div>
    <div class="scroll">
      <table id="contents">
        <thead>
          <tr>
            <th scope="col" data-sort="text" class="name">Name and digest</th>
            <th scope="col" data-sort="text" class="kind">Kind</th>
            <th scope="col" data-sort="text" class="platforms">Platforms</th>
            <th scope="col" data-sort="number" class="number layers">Layers</th>
            <th scope="col" data-sort="number" class="number size" aria-sort="descending">Size</th>
            <th scope="col" data-sort="number" class="number own">Own</th>
            <th scope="col" class="bars">Own and shared</th>
            <th scope="col" data-sort="text" class="licences">Licences</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    <p id="nothing" hidden>Nothing matches. Empty the search to see everything.</p>`
}

// --- internal ---

const BAR = 120

function row(item: Item, at: number, largest: number): Markup {
  const { name, kind, digest, size, own, platforms = [], licences, layers } = item
  const licence =
    licences.length === 0 ? html`<span class="muted">not annotated</span>` : nameOf(licences.join(', '))
  return html`<tr id="item-${at}" data-kind="${kind}">
    <th scope="row" class="name" data-value="${visible(name).slice(0, 500)}">
      ${nameOf(name)}<span class="digest">${digest}</span>${about(item)}
    </th>
    <td data-label="kind" data-value="${kind}">${kind}</td>
    <td class="wrap" data-label="platforms" data-value="${visible(platforms.join(' '))}">
      ${platforms.length === 0 ? '–' : nameOf(platforms.join(', '))}
    </td>
    <td class="number layers" data-label="layers" data-value="${layers}">${layers}</td>
    <td class="number" data-label="size" data-value="${size}">${formatBytes(size)}</td>
    <td class="number" data-label="own" data-value="${own}">${formatBytes(own)}</td>
    <td class="bars">${bar(item, largest)}</td>
    <td class="wrap" data-label="licences" data-value="${visible(licences.join(', '))}">${licence}</td>
  </tr> `
}

function about({ name, source, artifactType, subject, absent }: Item): readonly Markup[] {
  const line = (words: string, text: string): Markup =>
    html`<span class="about">${words} ${nameOf(text)}</span>`
  return [
    ...(source === name ? [] : [line('from', source)]),
    ...(artifactType === undefined ? [] : [line('type', artifactType)]),
    ...(subject === undefined ? [] : [line('about', subject)]),
    ...(absent === 0 ? [] : [line('left out:', formatBytes(absent))]),
  ]
}

/** As long as the item is large; what others have too is hatched. */
function bar({ kind, size, own, shared }: Item, largest: number): Markup {
  const width = (bytes: number): number => Math.round((bytes / largest) * BAR * 10) / 10
  const label = `${formatBytes(own)} own, ${formatBytes(shared)} shared`
  if (size === 0) return html`<span class="muted">empty</span>`
  return html`<svg class="bar" role="img" aria-label="${label}" width="${BAR}" height="14">
    <rect class="${kind}" width="${width(own)}" height="14" />
    <rect class="shared" x="${width(own)}" width="${width(shared)}" height="14" />
    <rect x="${width(own)}" width="${width(shared)}" height="14" fill="url(#lines)" />
  </svg>`
}
