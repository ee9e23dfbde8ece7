import { visible } from '../../lib/text/visible.ts'

/** HTML that is safe to be put into HTML. Made by `html` only, which escapes every text that comes from outside. */
export interface Markup {
  readonly markup: string
}

type Content = string | number | Markup | readonly Content[] | undefined

/**
 * A piece of HTML. Texts are escaped for elements and for attributes in double quotes; lists are joined; undefined is
 * nothing.
 */
export const html = (parts: TemplateStringsArray, ...contents: readonly Content[]): Markup => ({
  markup: parts.map((part, at) => (at === 0 ? part : markupOf(contents[at - 1]) + part)).join(''),
})

/** A name in a line of text; one of absurd length shows its ends. */
export function lineOf(text: string): Markup {
  const shown = visible(text)
  if (shown.length <= LONGEST) return html`<bdi>${shown}</bdi>`
  const [start, end] = [shown.slice(0, LONGEST / 2), shown.slice(-LONGEST / 4)].map((part) =>
    part.toWellFormed(),
  )
  return html`<bdi>${start} … ${end}</bdi> (${shown.length} characters)`
}

/** A name in a cell or an item of a list (HTML ends a paragraph before it); one of absurd length unfolds. */
export function nameOf(text: string): Markup {
  const shown = visible(text)
  if (shown.length <= LONGEST) return lineOf(text)
  return html`<details class="long">
    <summary>${lineOf(text)}</summary>
    <bdi>${shown}</bdi>
  </details>`
}

// --- internal ---

const LONGEST = 240

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** For elements and attributes; nothing invisible but line feeds and tabs, which HTML takes for spaces. */
const escaped = (text: string): string =>
  text.replaceAll(/[^\n\t]+/g, visible).replaceAll(/[&<>"']/g, (found) => ENTITIES[found] ?? '')

function markupOf(content: Content): string {
  if (content === undefined) return ''
  if (typeof content === 'number') return String(content)
  if (typeof content === 'string') return escaped(content)
  if ('markup' in content) return content.markup
  return content.map(markupOf).join('')
}
