import { html, type Markup } from './markup.ts'

/** Good, worth a look, bad, or unknown: shown by a word and a sign, with a colour on top. */
export type Tone = 'ok' | 'warn' | 'bad' | 'none'

const SIGNS: Readonly<Record<Tone, string>> = { ok: '✓', warn: '!', bad: '✗', none: '–' }

export const verdict = (tone: Tone, words: string): Markup =>
  html`<b class="${tone}"><span aria-hidden="true">${SIGNS[tone]} </span>${words}</b>`
