import type { OpenName } from '../binding.ts'
import type { Sighted } from './assemble.ts'
import { nameOf } from '../reference-text.ts'
import { fieldsOf } from '../render/rendered.ts'
import type { RenderedDocument } from '../render/documents.ts'
import { isMadeUp } from '../render/made-up.ts'
import { pathText } from '../tree.ts'

/**
 * Names in rendered objects that are no whole references, and that no reference seen so far completes: a registry
 * alone, a name without a version, a bare word where an image could stand. What is pulled by them only the program
 * that reads them knows.
 */
export function openNames(documents: readonly RenderedDocument[], sighted: readonly Sighted[]): OpenName[] {
  const names = sighted.flatMap(({ text, stem }) =>
    text === undefined || stem === true ? [] : [nameOf(text)],
  )
  const isPart = (name: string): boolean =>
    names.some((one) => one === name || one.startsWith(`${name}/`) || one.endsWith(`/${name}`))
  const found = new Map<string, OpenName>()
  for (const { text, stem, at, shapes, hook } of sighted) {
    if (text === undefined || stem !== true || found.has(text)) continue
    if (shapes.some(({ name }) => name.some(({ leaf }) => leaf !== undefined))) continue
    const reason = 'a registry alone, written in a template: a program adds the names'
    found.set(text, { text, at, reason, ...(hook === undefined ? {} : { hook }) })
  }
  for (const { names: inside, mentions, document, path, hint, text } of fieldsOf(documents)) {
    // Only where it stands is known, as the value is nobody's.
    if (isMadeUp(text) && (hint === 'image' || mentions().some((one) => isMadeUp(one.text)))) {
      const at = `${document.kind}/${document.name} ${pathText(path)}`
      found.set(at, {
        text: `${NOBODYS} at ${at}`,
        at,
        reason: 'the chart insists on a value that is not given',
      })
    }
    for (const name of inside()) {
      if (found.has(name) || isMadeUp(name) || isPart(name.replace(/\/$/, ''))) continue
      found.set(name, {
        text: name,
        at: `${document.kind}/${document.name} ${pathText(path)}`,
        reason: reasonOf(name, hint),
        ...(document.hook === undefined ? {} : { hook: document.hook }),
      })
    }
  }
  return [...found.values()]
}

/** How the text begins that stands for a name which stems from a value which was made up. */
export const NOBODYS = '…'

// --- internal ---

const reasonOf = (name: string, hint: string): string =>
  hint === 'word'
    ? 'a word where an image could stand: its controller knows what it means'
    : name.includes('/')
      ? 'a name without a version: a program may add one'
      : 'a registry alone: a program may add names'
