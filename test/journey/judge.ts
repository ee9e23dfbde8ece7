import { parseAllDocuments } from 'yaml'
import { imagesIn, type Installed } from '../support/printed.ts'
import { ECR } from './inside.ts'

/** Every image reference of all that was installed, each in one list. */
export interface Judgement {
  /** Pulled from the private registry, which has it. */
  readonly held: readonly string[]
  /** Public, and the policy that was applied leads it to what the private registry has. */
  readonly rewritten: readonly string[]
  /** Pulled by an object, from anywhere else or from where nothing is: `release: reference`. */
  readonly lost: readonly string[]
  /** Named by an object that does not pull it itself, and not there: what a custom resource would ask for. */
  readonly absent: readonly string[]
}

/** @param tags `repository:tag` of all that the registry holds */
export function judge({ releases, applied }: Installed, tags: ReadonlySet<string>): Judgement {
  const table = new Map(applied.flatMap(rewrites))
  const has = (reference: string): boolean =>
    reference.startsWith(`${ECR}/`) &&
    tags.has(reference.slice(ECR.length + 1).replace(/@sha256:[0-9a-f]{64}$/, ''))
  const held = new Set<string>()
  const rewritten = new Set<string>()
  const lost = new Set<string>()
  const absent = new Set<string>()
  for (const [release, text] of Object.entries(releases)) {
    const { pulled, named } = imagesIn(text)
    for (const reference of pulled) {
      if (has(reference)) held.add(reference)
      else if (has(table.get(reference) ?? '')) rewritten.add(reference)
      else lost.add(`${release}: ${reference}`)
    }
    for (const reference of named)
      if (!pulled.includes(reference) && !has(reference))
        absent.add(`${release}: ${reference.replace(`${ECR}/mirrored/`, '')}`)
  }
  return { held: [...held], rewritten: [...rewritten], lost: [...lost], absent: [...absent] }
}

// --- internal ---

/** Lines of a policy's table: a public reference, and the private one that it becomes. */
function rewrites(policy: string): readonly (readonly [string, string])[] {
  const found: (readonly [string, string])[] = []
  const walk = (value: unknown, key: string): void => {
    if (typeof value === 'string') {
      if (value.startsWith(`${ECR}/`)) found.push([key, value])
    } else if (typeof value === 'object' && value !== null)
      for (const [inner, item] of Object.entries(value)) walk(item, inner)
  }
  for (const document of parseAllDocuments(policy)) walk('toJS' in document ? document.toJS() : undefined, '')
  return found
}
