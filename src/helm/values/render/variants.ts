import type { Binding } from '../binding.ts'
import { chartTree, type Chart } from '../chart/files.ts'
import { grow, pathsNamed } from './largest-working-set.ts'
import { switchesFor, type Switches } from './guards.ts'
import type { Render, Variant } from './variant.ts'
import { attemptHelped } from './fix-rendering.ts'
import type { TemplateText } from '../chart/template-text.ts'
import { leavesOf, pathText, setAt, valueAt, type Path, type Values } from '../tree.ts'

/** Switches on everything that is called `enabled` or the like, as far as it renders together. */
export async function allOnVariant(
  chart: Chart,
  templates: TemplateText,
  values: Values,
  render: Render,
  base: Variant,
): Promise<Variant | undefined> {
  const toggles = new Map<string, Path>()
  for (const { path, value } of leavesOf(values)) {
    const key = String(path.at(-1))
    const isSwitch = value === false ? ON.test(key) : typeof value === 'string' && SAYS_ON.has(value)
    if (isSwitch && !OFF.test(pathText(path))) toggles.set(pathText(path), path)
  }
  for (const { chart: owner, prefix } of chartTree(chart)) {
    for (const { condition } of owner.subcharts) {
      for (const text of condition?.split(',') ?? []) {
        const path = [...prefix, ...text.trim().split('.')]
        if (valueAt(values, path) !== true) toggles.set(pathText(path), path)
      }
    }
  }
  if (toggles.size === 0) return undefined
  const layer = (paths: readonly Path[]): Values => {
    const on = structuredClone(base.values)
    for (const path of paths) {
      const now = valueAt(values, path)
      setAt(on, path, (typeof now === 'string' ? SAYS_ON.get(now) : undefined) ?? true, values)
    }
    return on
  }
  const start = { ...base, relaxed: true, name: 'everything on' }
  const { accepted, result } = await grow<Path, Variant>(
    [...toggles.values()],
    (paths) => attemptHelped({ ...start, values: layer(paths) }, render, values, templates),
    start,
    (message, paths) => pathsNamed(message, paths, templates.mentions),
    ALL_ON_TRIES,
  )
  return accepted.length === 0 ? undefined : result
}

/**
 * Variants that show the given bindings, read from the conditions in the templates around them. Those that render
 * together share a variant.
 */
export async function targetedVariants(
  bindings: readonly Binding[],
  templates: TemplateText,
  chart: Chart,
  values: Values,
  render: Render,
  base: Variant,
): Promise<Variant[]> {
  let left = bindings.flatMap((binding) =>
    switchesOf(binding, templates, chart, values).map((switches) => ({ binding, switches })),
  )
  const variants: Variant[] = []
  const variantOf = (some: readonly Target[]): Variant => {
    const layer = structuredClone(base.values)
    const api = new Set(base.apiVersions)
    for (const { switches } of some) {
      for (const { path, value } of switches.set.values()) setAt(layer, path, value, values)
      for (const version of switches.apiVersions) api.add(version)
    }
    const names = [...new Set(some.map(({ binding }) => pathText(binding.path)))]
    return {
      ...base,
      relaxed: true,
      name: `for ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`,
      values: layer,
      ...(api.size === 0 ? {} : { apiVersions: [...api] }),
    }
  }
  for (let round = 0; round < TARGETED_ROUNDS && left.length > 0; round += 1) {
    const together = left.filter(
      (target, at) => !left.slice(0, at).some((other) => contradict(target.switches, other.switches)),
    )
    const { accepted, result } = await grow<Target, Variant>(
      together,
      (some) => attemptHelped(variantOf(some), render, values, templates),
      base,
      (message, some) => {
        const paths = some.flatMap(({ switches }) => [...switches.set.values()].map(({ path }) => path))
        const named = new Set(pathsNamed(message, paths, templates.mentions).map(pathText))
        return some.filter(({ switches }) => [...switches.set.keys()].some((key) => named.has(key)))
      },
      TARGETED_TRIES,
    )
    if (accepted.length === 0) break
    variants.push(result)
    left = left.filter((target) => !accepted.includes(target))
  }
  return variants
}

// --- internal ---

const ALL_ON_TRIES = 24
const TARGETED_ROUNDS = 4
const TARGETED_TRIES = 16

interface Target {
  readonly binding: Binding
  readonly switches: Switches
}

const contradict = (a: Switches, b: Switches): boolean =>
  [...a.set].some(([key, { value }]) => {
    const other = b.set.get(key)
    return other !== undefined && JSON.stringify(other.value) !== JSON.stringify(value)
  })

const ON = /enabled?$|^(?:create|install|deploy|active|use|include|with)(?:[A-Z]|$)|^on$/
/** Switches that are words. */
const SAYS_ON = new Map([
  ['disable', 'enable'],
  ['disabled', 'enabled'],
  ['Disabled', 'Enabled'],
])
/** Features of clusters that are gone, or of other platforms. */
const OFF = /psp|podSecurityPolicy|openshift|windows.*hostProcess/i

function switchesOf(binding: Binding, templates: TemplateText, chart: Chart, values: Values): Switches[] {
  const own = pathText(binding.path)
  const leaves = new Set(binding.leaves.map(({ path }) => pathText(path)))
  const around = ancestors(binding.path, chart, values)
  const found = new Map<string, Switches>()
  for (const mention of templates.mentions) {
    const text = pathText(mention.path)
    if (text !== own && !text.startsWith(`${own}.`)) continue
    for (const { set, apiVersions } of switchesFor(mention, templates, values)) {
      // A condition on a part of the reference itself, such as its digest, would only change how it is written.
      const others = [...set].filter(
        ([key]) => !leaves.has(key) && (!key.startsWith(`${own}.`) || key.endsWith('enabled')),
      )
      const all = { set: new Map([...around, ...others]), apiVersions }
      found.set(JSON.stringify([...all.set.values(), all.apiVersions]), all)
    }
    if (found.size >= 4) break
  }
  if (found.size === 0 && around.size > 0) found.set('', { set: around, apiVersions: [] })
  return [...found.values()]
}

/** `enabled` of the maps around a place, and the conditions of the subcharts it lies in. */
function ancestors(path: Path, chart: Chart, values: Values): Map<string, { path: Path; value: unknown }> {
  const on = new Map<string, { path: Path; value: unknown }>()
  for (let depth = 1; depth <= path.length; depth += 1) {
    const inner = [...path.slice(0, depth), 'enabled']
    if (valueAt(values, inner) === false) on.set(pathText(inner), { path: inner, value: true })
  }
  for (const { chart: owner, prefix } of chartTree(chart)) {
    for (const { key, condition } of owner.subcharts) {
      const inside = [...prefix, key].every((step, at) => path[at] === step)
      if (!inside || condition === undefined) continue
      const first = condition.split(',')[0]?.trim().split('.')
      if (first !== undefined && valueAt(values, [...prefix, ...first]) === false)
        on.set(pathText([...prefix, ...first]), { path: [...prefix, ...first], value: true })
    }
  }
  return on
}
