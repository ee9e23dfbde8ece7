import type { Binding } from './binding.ts'
import { chartTree, type Chart } from './chart-files.ts'
import { grow, pathsNamed } from './grow.ts'
import { switchesFor, type Switches } from './guards.ts'
import type { Rendered, RenderOptions } from './helm.ts'
import type { TemplateText } from './template-text.ts'
import { isMap, leavesOf, pathText, setAt, valueAt, type Path, type Values } from './tree.ts'

/** A way to render a chart: one render cannot show what excludes each other. */
export interface Variant {
  readonly name: string
  /** A layer between the user's and the override. */
  readonly values: Values
  readonly kubeVersion?: string
  readonly apiVersions?: readonly string[]
}

export type Render = (options: RenderOptions) => Promise<Rendered>

/**
 * The variant of the user's own layers. A chart that does not render with them is helped as its own message asks:
 * the named value is filled in, the Kubernetes version raised.
 * @returns the failure when no help is enough
 */
export async function baseVariant(
  values: Values,
  render: Render,
  given: Variant,
): Promise<{ variant: Variant; failure?: string }> {
  let variant = given
  let failure = ''
  for (let tries = 0; tries < 12; tries += 1) {
    const rendered = await render(optionsOf(variant))
    if (rendered.ok) return { variant }
    failure = rendered.message
    const helped = help(variant, failure, values)
    if (helped === undefined) break
    variant = helped
  }
  return { variant: given, failure }
}

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
    if (value === false && ON.test(key) && !OFF.test(pathText(path))) toggles.set(pathText(path), path)
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
    for (const path of paths) setAt(on, path, true, values)
    return on
  }
  const { accepted } = await grow<Path, boolean>(
    [...toggles.values()],
    async (paths) => {
      const rendered = await render(optionsOf({ ...base, values: layer(paths) }))
      return rendered.ok ? { ok: true, result: true } : rendered
    },
    true,
    (message, paths) => pathsNamed(message, paths, templates.mentions),
  )
  return accepted.length === 0 ? undefined : { ...base, name: 'everything on', values: layer(accepted) }
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
      name: `for ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`,
      values: layer,
      ...(api.size === 0 ? {} : { apiVersions: [...api] }),
    }
  }
  for (let round = 0; round < TARGETED_ROUNDS && left.length > 0; round += 1) {
    const together = left.filter(
      (target, at) => !left.slice(0, at).some((other) => contradict(target.switches, other.switches)),
    )
    const { accepted } = await grow<Target, boolean>(
      together,
      async (some) => {
        const rendered = await render(optionsOf(variantOf(some)))
        return rendered.ok ? { ok: true, result: true } : rendered
      },
      true,
      (message, some) => {
        const paths = some.flatMap(({ switches }) => [...switches.set.values()].map(({ path }) => path))
        const named = new Set(pathsNamed(message, paths, templates.mentions).map(pathText))
        return some.filter(({ switches }) => [...switches.set.keys()].some((key) => named.has(key)))
      },
      TARGETED_TRIES,
    )
    if (accepted.length === 0) break
    variants.push(variantOf(accepted))
    left = left.filter((target) => !accepted.includes(target))
  }
  return variants
}

export const optionsOf = ({ values, kubeVersion, apiVersions }: Variant): RenderOptions => ({
  values: Object.keys(values).length === 0 ? [] : [values],
  ...(kubeVersion === undefined ? {} : { kubeVersion }),
  ...(apiVersions === undefined ? {} : { apiVersions }),
})

// --- internal ---

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
/** Features of clusters that are gone, or of other platforms. */
const OFF = /psp|podSecurityPolicy|openshift|windows.*hostProcess/i

function switchesOf(binding: Binding, templates: TemplateText, chart: Chart, values: Values): Switches[] {
  const own = pathText(binding.path)
  const around = ancestors(binding.path, chart, values)
  const found = new Map<string, Switches>()
  for (const mention of templates.mentions) {
    const text = pathText(mention.path)
    if (text !== own && !text.startsWith(`${own}.`)) continue
    const switches = switchesFor(mention, templates, values)
    const all = { set: new Map([...around, ...switches.set]), apiVersions: switches.apiVersions }
    found.set(JSON.stringify([...all.set.values(), all.apiVersions]), all)
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

/** What a failure message asks for. */
function help(variant: Variant, message: string, values: Values): Variant | undefined {
  const version = /chart requires kubeVersion: (\S.*?) which is incompatible/.exec(message)?.[1]
  if (version !== undefined && variant.kubeVersion === undefined) {
    const least = /(\d+)\.(\d+)/.exec(version)
    return least === null ? undefined : { ...variant, kubeVersion: `${least[1]}.${least[2]}.0` }
  }
  const layer = structuredClone(variant.values)
  for (const [, text = ''] of message.matchAll(
    /(?:\.Values\.|['"`\s(])([a-zA-Z][\w-]*(?:\.[a-zA-Z][\w-]*)+|[a-z]\w*[A-Z]\w*)/g,
  )) {
    const path = text.replace(/^Values\./, '').split('.')
    const now = valueAt(values, path)
    const parent = path.length > 1 ? valueAt(values, path.slice(0, -1)) : undefined
    const fits = now === '' || now === null || now === false || (now === undefined && isMap(parent))
    if (!fits || valueAt(layer, path) !== undefined) continue
    setAt(
      layer,
      path,
      now === false ? true : /url|host|endpoint/i.test(text) ? 'https://example.com' : 'x',
      values,
    )
    return { ...variant, values: layer }
  }
  return undefined
}
