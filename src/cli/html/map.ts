import type { Item } from '../../bundle/inspect/sizes.ts'
import type { SizeGroup } from '../../bundle/inspect/size-map.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import { squarify, type Rectangle } from './treemap.ts'
import { clip, widthOf } from '../ui/style.ts'
import { html, type Markup } from './markup.ts'
import { visible } from '../../lib/text/visible.ts'

/** The sizes of a bundle as two pictures of the same, for wide screens and paper, and for narrow screens. */
export const sizeMaps = (groups: readonly SizeGroup[], items: readonly Item[]): Markup =>
  html`${picture(groups, items, 'wide', { x: 0, y: 0, width: 1200, height: 480 })}${picture(groups, items, 'narrow', { x: 0, y: 0, width: 400, height: 620 })}`

/** What hatches; once a page, where nothing hides it. */
export const HATCH: Markup = html`<svg width="0" height="0" class="defs" aria-hidden="true">
  <pattern id="lines" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
    <line class="hatch" x1="0" y1="0" x2="0" y2="7" />
  </pattern>
</svg>`

const WORDS: Readonly<Record<SizeGroup['kind'], string>> = {
  image: 'of one image alone',
  shared: 'shared by several',
  chart: 'of a chart',
  file: 'of a file',
  rest: 'too small to be shown',
}

/** What the colours mean, with how much there is of each. */
export function legend(groups: readonly SizeGroup[]): Markup {
  const total = sizeOf(groups)
  const lines = Object.entries(WORDS).flatMap(([kind, words]) => {
    const size = sizeOf(groups.filter((group) => group.kind === kind))
    if (size === 0) return []
    const lines = kind === 'shared' ? html`<rect width="22" height="14" fill="url(#lines)" />` : undefined
    return [
      html`<li>
        <svg width="22" height="14" aria-hidden="true">
          <rect width="22" height="14" class="${kind}" />
          ${lines}
        </svg>
        ${words}: ${formatBytes(size)} (${percent(size, total)})
      </li>`,
    ]
  })
  return html`<ul class="legend">
    ${lines}
  </ul>`
}

// --- internal ---

/** Pixels of the viewBox that a column of text takes, at least; wider letters are cut earlier than they have to. */
const COLUMN = 7.5
const LINE = 15

const sizeOf = (groups: readonly SizeGroup[]): number => groups.reduce((sum, { size }) => sum + size, 0)

const percent = (part: number, whole: number): string =>
  whole === 0 ? '0 %' : `${((part / whole) * 100).toFixed(part * 10 < whole ? 1 : 0)} %`

function picture(
  groups: readonly SizeGroup[],
  items: readonly Item[],
  name: 'wide' | 'narrow',
  area: Rectangle,
): Markup {
  const total = sizeOf(groups)
  const places = squarify(
    groups.map(({ size }) => size),
    area,
  )
  const drawn = groups.map((group, at) => groupOf(group, items, places[at] ?? area, total))
  return html`<svg
    class="map ${name}"
    viewBox="0 0 ${area.width} ${area.height}"
    role="group"
    aria-label="Map of sizes; arrow keys go from one to the next, Enter to its row"
  >
    ${drawn}
  </svg> `
}

function groupOf(group: SizeGroup, items: readonly Item[], place: Rectangle, total: number): Markup {
  const tiles = squarify(group.parts, place).map((tile) => html`<rect ${box(tile)} class="${group.kind}" />`)
  const label = `${titleOf(group, items)}: ${formatBytes(group.size)} in ${plural(group.count, 'blob')}, ${percent(group.size, total)} of the bundle`
  const target =
    group.kind === 'shared'
      ? '#sharing'
      : group.kind === 'rest'
        ? '#contents'
        : `#item-${group.items[0] ?? 0}`
  const isShared = group.kind === 'shared'
  const hatch = isShared ? html`<rect class="lines" ${box(place)} fill="url(#lines)" />` : undefined
  return html`<a href="${target}"
    ><title>${label}</title>${tiles}${hatch}<rect
      class="edge"
      ${box(place)}
    />${labelOf(group, items, place)}</a
  > `
}

const round = (value: number): string => String(Math.round(value * 10) / 10)

const box = ({ x, y, width, height }: Rectangle): Markup =>
  html`x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`

/** `quay.io/team/app:1`, `shared by 3: app:1, web:2 and others`. */
function titleOf({ kind, items: of }: SizeGroup, items: readonly Item[]): string {
  const names = of.map((at) => cut(visible(items[at]?.name ?? ''), 120))
  if (kind === 'rest') return `${plural(of.length, 'item')} with little of their own`
  if (kind !== 'shared') return names[0] ?? ''
  const shown = names.slice(0, 4).join(', ')
  return `shared by ${of.length}: ${shown}${names.length > 4 ? ` and ${names.length - 4} more` : ''}`
}

const cut = (text: string, width: number): string =>
  text.length <= width ? text : clip(text, width, 'middle')

function labelOf(
  group: SizeGroup,
  items: readonly Item[],
  { x, y, width, height }: Rectangle,
): Markup | undefined {
  const columns = Math.floor((width - 12) / COLUMN)
  if (columns < 7 || height < LINE + 4) return undefined
  const name = shortName(group, items, columns)
  const title = html`<text aria-hidden="true" x="${round(x + 6)}" y="${round(y + LINE)}"
    >${clip(name, columns, 'middle')}</text
  >`
  const size = formatBytes(group.size)
  if (height < 2 * LINE + 4 || widthOf(size) > columns) return title
  return html`${title}<text aria-hidden="true" class="size" x="${round(x + 6)}" y="${round(y + 2 * LINE)}"
      >${size}</text
    >`
}

/** The end of the name, which tells images of one registry apart. */
function shortName({ kind, items: of }: SizeGroup, items: readonly Item[], columns: number): string {
  if (kind === 'shared') return columns < 13 ? `× ${of.length}` : `shared by ${of.length}`
  if (kind === 'rest') return `${plural(of.length, 'item')}, small`
  const name = visible(items[of[0] ?? 0]?.name ?? '').replace(/@.*$/, '')
  return name.slice(name.lastIndexOf('/') + 1)
}
