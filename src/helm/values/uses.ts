import type { Binding, ImageUse, Need } from './binding.ts'
import { chartTree, type Chart } from './chart/files.ts'
import { normalisedReference } from './reference-text.ts'
import type { RenderedDocument } from './render/documents.ts'
import type { HelmRenderer } from './render/helm.ts'
import { isMadeUp } from './render/made-up.ts'
import { placeKey, referencesOf, type RenderedReference } from './render/rendered.ts'
import type { Variant } from './render/variant.ts'
import type { Search } from './search.ts'
import { leavesOf, pathText, valueAt, type Path, type Values } from './tree.ts'
import { NOBODYS } from './find/open-names.ts'
import { stemReference } from './write/destination.ts'
import { stacked } from './write/stages.ts'

/**
 * Every image that a chart names, and whether the chart as it is installed pulls it. What a pod or a custom resource
 * names is pulled; what an operator is handed in an argument, a variable or its configuration, only once a custom
 * resource asks for it.
 * @param search what was found by rendering; its first variant is the chart as it is installed
 */
export async function findUses(
  chart: Chart,
  layers: readonly Values[],
  search: Search,
  renderer: HelmRenderer,
): Promise<readonly ImageUse[]> {
  const [base] = search.variants
  const rendered = base === undefined ? undefined : await renderer.template(stacked(layers, base, {}))
  const documents = rendered?.ok === true ? rendered.documents : []
  const operator = operatorOf(chart, documents)
  const uses = referencesOf(documents)
    .filter(({ text }) => !isMadeUp(text))
    .map((reference) =>
      useOf(reference, search.places.get(placeKey(reference.place, reference.text)), base, operator),
    )
  const others = [
    ...search.bindings.flatMap((binding) => offUses(binding, search, chart)),
    ...search.unreachable
      .filter(({ variant, unrendered }) => variant !== undefined || unrendered === true)
      .map(({ reference, at, variant, unrendered, hook }): ImageUse => {
        const seen = { reference, at, ...(hook === undefined ? {} : { hook }) }
        return unrendered === true || variant === undefined
          ? { ...seen, need: 'unknown', when: 'no render shows it' }
          : { ...seen, need: 'on-demand', when: switchText([], variant, search, chart) }
      }),
  ]
  // No image has such a name, so that nobody takes it for one to fetch.
  const open = search.open.map(({ text, at, reason, hook }): ImageUse => ({
    reference: text.startsWith(NOBODYS)
      ? text
      : `${text.replace(/\/$/, '')}${text.includes('/') ? ':…' : '/…'}`,
    at,
    need: 'unknown',
    when: reason,
    ...(hook === undefined ? {} : { hook }),
  }))
  return once([...uses, ...others, ...open])
}

/** The more it takes, the later. */
export const NEEDS: readonly Need[] = ['needed', 'on-demand', 'unknown']

// --- internal ---

/** What a chart with custom resources of its own asks of whoever wants it to pull more; undefined for other charts. */
function operatorOf(chart: Chart, documents: readonly RenderedDocument[]): string | undefined {
  const kinds = [...new Set([...chartTree(chart)].flatMap((one) => one.chart.kinds))].toSorted()
  // A chart that brings such resources along asks for them itself.
  if (kinds.length === 0 || documents.some(({ kind }) => kinds.includes(kind))) return undefined
  const named = kinds.slice(0, KINDS_NAMED)
  const more = kinds.length > named.length ? ' or another of its kinds' : ''
  return `a ${named.join(', ')}${more} asks for it`
}

const KINDS_NAMED = 8

function useOf(
  { text, stem, kind, name, path, where, hook }: RenderedReference,
  binding: Binding | undefined,
  base: Variant | undefined,
  operator: string | undefined,
): ImageUse {
  const use = {
    reference: stem === true ? stemReference(text) : (normalisedReference(text) ?? text),
    at: `${kind}/${name} ${path}`,
    ...(binding === undefined ? {} : { path: pathText(binding.path) }),
    ...(hook === undefined ? {} : { hook }),
  }
  if (stem === true || normalisedReference(text) === undefined)
    return { ...use, need: 'unknown', when: 'a program adds the rest of the name' }
  if (binding?.leaves.some((leaf) => valueAt(base?.values, leaf.path) !== undefined) === true)
    return { ...use, need: 'unknown', when: `the chart insists on a value at ${pathText(binding.path)}` }
  if (isTest(hook)) return { ...use, need: 'on-demand', when: 'helm test is run' }
  if (kind.endsWith('Template') && kind !== 'PodTemplate')
    return { ...use, need: 'on-demand', when: `something is started from the ${kind}` }
  if (where !== 'image' && where !== 'cr' && operator !== undefined)
    return { ...use, need: 'on-demand', when: operator }
  return { ...use, need: 'needed' }
}

const isTest = (hook: string | undefined): boolean =>
  hook !== undefined && hook.split(',').every((one) => /^test(?:-success|-failure)?$/.test(one.trim()))

/** Images of a binding that the chart as it is installed does not show. */
function offUses(binding: Binding, search: Search, chart: Chart): readonly ImageUse[] {
  const { references, variant, path, at, stem, note } = binding
  if (variant === undefined || stem === true) return []
  const isShown = search.variants.some(({ name }) => name === variant)
  return references.map((reference) => ({
    reference,
    at: at[0] ?? `values ${pathText(path)}`,
    path: pathText(path),
    ...(isShown
      ? { need: 'on-demand' as const, when: switchText(path, variant, search, chart) }
      : { need: 'unknown' as const, when: note ?? 'no render shows it' }),
  }))
}

/** The switch of a variant that is nearest to a place, and the way it is set there. */
function switchText(path: Path, name: string, { variants }: Search, chart: Chart): string {
  const variant = variants.find((one) => one.name === name)
  const set = [...leavesOf(variant?.values ?? {})].filter(
    ({ path: at, value }) => at.length > 0 && typeof value === 'boolean',
  )
  const condition = conditionOf(path, chart)
  const near = set
    .map((leaf) => ({ ...leaf, shared: sharedLength(leaf.path, path) }))
    .filter(({ path: at, shared }) => shared > 0 || pathText(at) === condition)
    .toSorted((a, b) => b.shared - a.shared || a.path.length - b.path.length)
  const [best] = near
  if (best !== undefined) return `${pathText(best.path)} is ${String(best.value)}`
  const only = set.length === 1 ? set[0] : undefined
  if (only !== undefined) return `${pathText(only.path)} is ${String(only.value)}`
  const apis = variant?.apiVersions ?? []
  return apis.length > 0 && set.length === 0
    ? `the cluster has ${apis.join(', ')}`
    : 'something is switched on that is off now'
}

/** The values path that switches on the subchart a place belongs to. */
const conditionOf = (path: Path, { subcharts }: Chart): string | undefined =>
  subcharts.find(({ key }) => key === path[0])?.condition?.split(',')[0]

function sharedLength(one: Path, other: Path): number {
  const differs = one.findIndex((step, at) => step !== other[at])
  return differs < 0 ? one.length : differs
}

/** Each image once a need and place in the values; the first object that names it stands for the others. */
function once(uses: readonly ImageUse[]): readonly ImageUse[] {
  const found = new Map<string, ImageUse>()
  for (const use of uses) {
    const key = `${use.reference} ${use.need} ${use.path ?? ''} ${use.when ?? ''}`
    if (!found.has(key)) found.set(key, use)
  }
  return [...found.values()].toSorted((a, b) => NEEDS.indexOf(a.need) - NEEDS.indexOf(b.need))
}
