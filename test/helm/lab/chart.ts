import { readFile } from 'node:fs/promises'
import { parseReference, formatReference } from '../../../src/oci/reference.ts'
import { readChart } from '../../../src/helm/values/chart/files.ts'
import { effectiveValues } from '../../../src/helm/values/chart/effective.ts'
import { createHelm, type HelmRenderer, type RenderOptions } from '../../../src/helm/values/render/helm.ts'
import { prove } from '../../../src/helm/values/prove.ts'
import { findByRendering } from '../../../src/helm/values/search.ts'
import { leavesOf, pathText, setAt, type Path, type Values } from '../../../src/helm/values/tree.ts'
import { stacked } from '../../../src/helm/values/write/stages.ts'
import { landOverride } from '../../../src/helm/values/write/try-override.ts'
import { judge, seenIn, type JudgedObject, type Seen } from './judge.ts'

/** What was found, written and judged in one chart. */
export interface ChartResult {
  readonly chart: string
  readonly failure?: string
  readonly bindings: number
  readonly notLanded: readonly string[]
  readonly unreachable: readonly string[]
  /** Distinct references that an independent reader sees in the renders. */
  readonly seen: number
  readonly bound: number
  /** Left public, and named as such. */
  readonly named: readonly string[]
  /** Left public although a value changes the name: the leaf that does. */
  readonly missed: readonly string[]
  readonly silent: readonly string[]
  readonly wrong: readonly string[]
  readonly dead: readonly string[]
  /** The proof's verdict on a list that has everything the search found. */
  readonly refused: readonly string[]
  /** Named by the search, seen by nobody else. */
  readonly phantoms: readonly string[]
  readonly unknown: readonly string[]
  readonly renders: number
  readonly seconds: number
  readonly mebibytes: number
}

const HOST = 'private.example'
const PRIVATE = `${HOST}/mirrored`

const normalised = (text: string): string | undefined => {
  try {
    return formatReference(parseReference(text.replace(/^[a-z-]+:\/\//, '')))
  } catch {
    return undefined
  }
}

const destinationOf = (reference: string): string => `${PRIVATE}/${reference}`

/** Searches, writes and proves one packaged chart, then judges the result by other means. */
export async function measureChart(path: string, binary: string): Promise<ChartResult> {
  const helm = await createHelm(binary)
  const tgz = new Uint8Array(await readFile(path))
  const renderer = await helm.open(tgz)
  try {
    const started = performance.now()
    const chart = readChart(tgz)
    const search = await findByRendering(chart, [], renderer, { digests: true })
    const landed = await landOverride(chart, [], search, renderer, { destinationOf })
    const found = new Set([
      ...search.bindings.flatMap(({ references }) => references),
      ...search.unreachable.map(({ reference }) => reference),
    ])
    const proof = await prove([], landed.values, renderer, search, {
      destinationOf,
      isPrivate: (reference) => reference.startsWith(`${PRIVATE}/`),
      isBundled: (reference) => found.has(reference),
      variants: search.variants.slice(0, 1),
    })
    const seconds = (performance.now() - started) / 1000
    const renders = renderer.renders
    const mebibytes = process.resourceUsage().maxRSS / 1024
    const notLanded = landed.notLanded.map(
      ({ binding, reason }) => `${binding.reference} (${pathText(binding.path)}: ${reason})`,
    )
    const open = new Set(
      [
        ...landed.notLanded.flatMap(({ binding }) => binding.references),
        ...search.unreachable.map(({ reference }) => reference),
        ...search.open.map(({ text }) => text),
      ].flatMap((one) => [one, normalised(one) ?? one]),
    )
    const all = {
      seen: new Set<string>(),
      bound: new Set<string>(),
      left: new Map<string, Seen & { readonly at: number }>(),
      wrong: new Set<string>(),
    }
    for (const [at, variant] of search.variants.entries()) {
      const plain = await objectsOf(renderer, stacked([], variant, {}))
      const bound = await objectsOf(renderer, stacked([], variant, landed.values))
      if (plain === undefined || bound === undefined) {
        if (plain !== undefined) all.wrong.add(`the override makes "${variant.name}" fail`)
        continue
      }
      const judged = judge(plain, bound, HOST, (text) => {
        const normal = normalised(text)
        return normal === undefined ? undefined : destinationOf(normal)
      })
      for (const { text } of seenIn(plain)) all.seen.add(normalised(text) ?? text)
      for (const { text } of judged.bound) all.bound.add(normalised(text) ?? text)
      for (const { object, field, text } of judged.wrong) all.wrong.add(`${object} ${field}: ${text}`)
      for (const seen of judged.left) if (!all.left.has(seen.text)) all.left.set(seen.text, { ...seen, at })
    }
    const named: string[] = []
    const missed: string[] = []
    const silent: string[] = []
    const values = effectiveValues(chart)
    for (const seen of all.left.values()) {
      const normal = normalised(seen.text) ?? seen.text
      const where = `${seen.text} (${seen.object} ${seen.field})`
      if (open.has(normal) || open.has(seen.text)) named.push(where)
      else silent.push(where)
      const leaf = await leafOf(seen, values, renderer, (layer) =>
        stacked([], search.variants[seen.at] ?? { name: '', values: {} }, layer),
      )
      if (leaf !== undefined) missed.push(`${where} by ${leaf}`)
    }
    // All leaves marked at once: those that show up nowhere are dead.
    const marked = structuredClone(landed.values)
    const leaves = landed.assignments.filter(({ references }) => references.length > 0)
    for (const [at, one] of leaves.entries()) setAt(marked, one.path, `dead.example/zzdead${at}x`, values)
    const shown = await Promise.all(
      search.variants.map(async (variant) => renderer.template(stacked([], variant, marked))),
    )
    const text = shown.map((one) => (one.ok ? JSON.stringify(one.documents) : '')).join('')
    const dead = shown.every(({ ok }) => ok)
      ? leaves.flatMap((one, at) => (text.includes(`zzdead${at}x`) ? [] : [pathText(one.path)]))
      : []
    return {
      chart: path.replace(/^.*\/|\.tgz$/g, ''),
      ...(search.refusal === undefined
        ? {}
        : {
            failure: `${search.refusal.instead} ${search.refusal.filled.join(', ')}: ${search.refusal.message.slice(0, 200)}`,
          }),
      bindings: landed.bindings.length,
      notLanded,
      unreachable: search.unreachable.map(({ reference, reason, at }) => `${reference} (${reason}; ${at})`),
      seen: all.seen.size,
      bound: all.bound.size,
      named,
      missed,
      silent,
      wrong: [...all.wrong],
      dead,
      refused: proof.references
        .filter(({ verdict }) => verdict !== 'bound')
        .map(
          ({ original, verdict, remedy, kind, name, path: at }) =>
            `${original}: ${verdict}, ${remedy ?? ''} (${kind}/${name} ${at})`,
        ),
      phantoms: [...found].filter((one) => !all.seen.has(one) && !/[-_/]$/.test(one)),
      unknown: search.open.map(({ text, at }) => `${text} (${at})`),
      renders,
      seconds,
      mebibytes,
    }
  } finally {
    await renderer.close()
  }
}

// --- internal ---

async function objectsOf(
  renderer: HelmRenderer,
  options: RenderOptions,
): Promise<JudgedObject[] | undefined> {
  const rendered = await renderer.template(options)
  return rendered.ok ? [...rendered.documents] : undefined
}

const LIMIT = 40

/** A leaf that changes the name of a reference, tried one by one. */
async function leafOf(
  seen: Seen,
  values: Values,
  renderer: HelmRenderer,
  optionsOf: (layer: Values) => RenderOptions,
): Promise<string | undefined> {
  const name = seen.text.replace(/@.*$/, '').replace(/:[^:/]*$/, '')
  const candidates: { path: Path; value: string }[] = []
  for (const { path, value } of leavesOf(values)) {
    const key = String(path.at(-1))
    if (value === null || value === '') {
      if (/regist|repo|hub|image|host|prefix|domain|mirror/i.test(key) && !/pull|secret/i.test(key))
        candidates.push({ path, value: 'zzmark.example/zz' })
    } else if (
      typeof value === 'string' &&
      value.length > 2 &&
      (name.includes(value) || value.includes(name))
    )
      candidates.push({ path, value: value.replace(/([a-z0-9])(?=[^a-z0-9]*$)/i, '$1zzmark') })
  }
  for (const { path, value } of candidates.slice(0, LIMIT)) {
    const layer: Values = {}
    setAt(layer, path, value, values)
    const objects = await objectsOf(renderer, optionsOf(layer))
    const same = objects
      ?.flatMap((one) => seenIn([one]))
      .filter(({ object, field }) => object === seen.object && field === seen.field)
    if (
      same?.some(
        ({ text }) =>
          text.includes('zz') &&
          text
            .replace(/@.*$/, '')
            .replace(/:[^:/]*$/, '')
            .includes('zz'),
      ) === true
    )
      return pathText(path)
  }
  return undefined
}
