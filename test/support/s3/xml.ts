import { escaped } from './failure.ts'

export type Element = readonly [name: string, content: string | number | readonly Element[]]

/** A small XML document. */
export const xml = (...element: Element): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${write(element)}`

/** The texts of all elements of a name; the documents that clients send are flat enough for that. */
export const textsOf = (document: string, name: string): string[] =>
  [...document.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((match) =>
    (match[1] ?? '')
      .replaceAll('&quot;', '"')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&amp;', '&'),
  )

// --- internal ---

const write = ([name, content]: Element): string =>
  `<${name}>${Array.isArray(content) ? content.map((one: Element) => write(one)).join('') : escaped(String(content))}</${name}>`
