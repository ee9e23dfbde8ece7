import type { Attempt } from './largest-working-set.ts'
import { MADE_UP } from './made-up.ts'
import type { TemplateText } from '../chart/template-text.ts'
import { isMap, pathText, setAt, valueAt, type Path, type Values } from '../tree.ts'
import { optionsOf, type Render, type Variant } from './variant.ts'

/**
 * The variant of the user's own layers. A chart that does not render with them is helped as its own message asks:
 * the named value is filled in, the Kubernetes version raised.
 * @returns the failure when no help is enough
 */
export async function baseVariant(
  values: Values,
  render: Render,
  templates: TemplateText,
  given: Variant,
): Promise<OwnRendering> {
  const helped = await attemptHelped(given, render, values, templates, 12)
  if (!helped.ok) return { variant: given, failure: helped.message }
  const { result, first } = helped
  return result.values === given.values || first === undefined
    ? { variant: result }
    : { variant: result, complaint: first }
}

export interface OwnRendering {
  readonly variant: Variant
  readonly failure?: string
  /** Why the user's own layers are not what is rendered. */
  readonly complaint?: string
}

/** The user's own layers; where they alone do not render, the values that the chart's authors test it with. */
export async function firstThatRenders(
  variants: readonly Variant[],
  attempt: (variant: Variant) => Promise<OwnRendering>,
): Promise<OwnRendering> {
  let first: OwnRendering | undefined
  for (const variant of variants) {
    const tried = await attempt(variant)
    if (tried.failure === undefined)
      return first?.failure === undefined ? tried : { ...tried, complaint: first.failure }
    first ??= tried
  }
  return first ?? { variant: { name: 'as given', values: {} } }
}

/** `first`: the first failure, in helm's words. */
type Helped = Attempt<Variant> & { readonly first?: string }

/** Renders a variant; while it fails, does what the failure asks for and tries again. */
export async function attemptHelped(
  given: Variant,
  render: Render,
  values: Values,
  templates: TemplateText,
  tries = 3,
): Promise<Helped> {
  let variant = given
  let message = ''
  let first: string | undefined
  for (let left = tries; left > 0; left -= 1) {
    const rendered = await render(optionsOf(variant))
    if (rendered.ok) return { ok: true, result: variant, ...(first === undefined ? {} : { first }) }
    message = rendered.message
    first ??= message
    const helped = help(variant, message, values, templates)
    if (helped === undefined) break
    variant = helped
  }
  return { ok: false, message }
}

// --- internal ---

/** What a failure message asks for. */
function help(
  variant: Variant,
  message: string,
  values: Values,
  { mentions, modes }: TemplateText,
): Variant | undefined {
  const version = /chart requires kubeVersion: (\S.*?) which is incompatible/.exec(message)?.[1]
  if (version !== undefined && variant.kubeVersion === undefined) {
    const least = /(\d+)\.(\d+)/.exec(version)
    return least === null ? undefined : { ...variant, kubeVersion: `${least[1]}.${least[2]}.0` }
  }
  const layer = structuredClone(variant.values)
  const fill = (path: Path): Variant | undefined => {
    const now = valueAt(values, path)
    const parent = path.length > 1 ? valueAt(values, path.slice(0, -1)) : undefined
    const free =
      now === '' ||
      now === null ||
      now === false ||
      (now === undefined && (parent === undefined || parent === null || isMap(parent)))
    if (!free || valueAt(layer, path) !== undefined) return undefined
    const key = String(path.at(-1))
    setAt(
      layer,
      path,
      now === false
        ? true
        : (modes.get(pathText(path))?.[0] ??
            (/url|host|endpoint/i.test(key) ? `https://${MADE_UP}.example` : MADE_UP)),
      values,
    )
    return { ...variant, values: layer }
  }
  // `at <$backup.google.account>:\s+nil pointer evaluating interface {}.account`
  const missing = /<\S*?((?:\.[A-Za-z]\w*)+)>: nil pointer evaluating/
    .exec(message)?.[1]
    ?.replace(/^\.Values\./, '.')
  if (missing !== undefined) {
    for (const { path } of mentions) {
      const filled = `.${pathText(path)}`.endsWith(missing) ? fill(path) : undefined
      if (filled !== undefined) return filled
    }
  }
  for (const [, said, text = said ?? ''] of message.matchAll(NAMES)) {
    const path = text.replace(/^Values\./, '').split('.')
    const parent = path.length > 1 ? valueAt(values, path.slice(0, -1)) : undefined
    const read = mentions.some((mention) => pathText(mention.path) === pathText(path))
    if (valueAt(values, path) === undefined && !isMap(parent) && !read) continue
    const filled = fill(path)
    if (filled !== undefined) return filled
  }
  return undefined
}

/** A value's path or name in a message: `.Values.a.b`, `'mode'`, `clusterName`. */
const NAMES =
  /\.Values\.([a-zA-Z][\w-]*(?:\.[a-zA-Z][\w-]*)*)|['"`\s(]([a-zA-Z][\w-]*(?:\.[a-zA-Z][\w-]*)+|[a-z]\w*[A-Z]\w*|[a-z]+(?=['"`]))/g
