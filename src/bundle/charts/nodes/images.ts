import { canonicalRegistry } from '../../../oci/alias.ts'
import type { Contents, ImageContents, RootContents } from '../../format/contents.ts'
import { canonical, canonicalText, hintsOf } from '../../spec/hints.ts'
import { consumerOf } from '../override-charts.ts'
import { parseSpec } from '../../spec/spec.ts'

/**
 * The images of a bundle that the values override does not point to the private registry, as far as the bundle knows:
 * a chart's template or a program names them, nothing that was rendered does, or nobody rendered their chart.
 */
export function unboundImages(contents: Contents): readonly ImageContents[] {
  const spec = parseSpec(contents.spec, `${contents.name}.yaml`)
  const hints = [...hintsOf(spec).values()].flat()
  const named = new Set<string>()
  for (const { bindings, rendered } of contents.bound) {
    if (!rendered) continue
    for (const { references } of bindings) for (const text of references) named.add(canonicalText(text))
  }
  const places = [...[...spec.bindings.values()].flat(), ...(consumerOf(spec)?.bindings ?? [])]
  for (const { reference, also, image } of places) {
    for (const text of [reference, ...also]) named.add(canonicalText(text))
    if (image !== undefined) named.add(canonical(image))
  }
  const unreached = new Set(
    [
      ...contents.bound.flatMap(({ notLanded, unreachable }) => [...notLanded, ...unreachable]),
      ...contents.proof.flatMap(({ open }) => open),
      ...hints.filter(({ action }) => action === 'bundle' || action === 'patch'),
    ].map(({ reference }) => canonicalText(reference)),
  )
  return contents.roots.filter(isImage).filter(({ name }) => {
    const text = canonicalText(name)
    return unreached.has(text) || !named.has(text)
  })
}

/** Registries by every name that the charts or the list use for them: a node matches the name as it is written. */
export function registryNames(roots: readonly RootContents[], contents?: Contents): readonly string[] {
  const texts = [
    ...roots.flatMap((root) => (root.kind === 'image' ? [root.name] : [])),
    ...(contents?.bound ?? []).flatMap(({ bindings, unreachable, notLanded }) => [
      ...bindings.flatMap(({ references }) => references),
      ...[...unreachable, ...notLanded].map(({ reference }) => reference),
    ]),
  ]
  const hosts = texts.flatMap((text) => /^([^/]*[.:][^/]*)\//.exec(text)?.[1]?.toLowerCase() ?? [])
  return [...new Set([...hosts.map(canonicalRegistry), ...hosts])]
}

// --- internal ---

const isImage = (root: RootContents): root is ImageContents => root.kind === 'image'
