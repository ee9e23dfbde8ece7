import type { Binding } from '../binding.ts'
import { candidatesFor, readByTemplates, undeclaredCandidates, undeclaredDigests } from './candidates.ts'
import { observe, type Scene } from './observe.ts'
import type { Sightings } from './sightings.ts'
import type { TemplateText } from '../chart/template-text.ts'
import type { Variant } from '../render/variant.ts'

export interface Knowledge {
  /** What keys and contents alone suggest. */
  readonly statics: readonly Binding[]
  readonly templates: TemplateText
  /** Also look for places that take a digest. */
  readonly digests: boolean
}

/**
 * Renders a variant with marks, likely leaves first, and notes what each reference is made of. One render answers
 * for all leaves; further ones ask only what is still open.
 * @param wide ask all of it, whatever is open
 */
export async function explainScene(
  scene: Scene,
  variant: Variant,
  sightings: Sightings,
  { statics, templates, digests }: Knowledge,
  wide = false,
): Promise<void> {
  const { base: values } = scene
  const rendered = sightings.all().flatMap(({ text }) => text ?? [])
  const {
    likely,
    spare,
    digests: empty,
    globals,
    shared,
    empty: others,
  } = candidatesFor(values, statics, rendered)
  const look = async (candidates: Parameters<typeof observe>[0], where = scene, tries?: number) => {
    const observed = await observe(candidates, where, tries)
    sightings.note(observed, variant)
    return observed
  }
  const natural = await look(likely)
  const fixed = new Set(templates.literals.flatMap((one) => (one.fixed ? [one.reference] : [])))
  const unexplained = (): readonly string[] => sightings.unexplained().filter((text) => !fixed.has(text))
  const isOpen = (): boolean => wide || unexplained().length > 0
  if (isOpen()) {
    const { possible } = candidatesFor(values, statics, wide ? rendered : unexplained())
    if (possible.length > 0) await look(possible)
  }
  // A name whose last part is a template's own, or a leaf that nothing in its key gives away.
  const { possible: ends } = candidatesFor(values, statics, sightings.literalEnds())
  if (ends.length > 0) await look([...likely, ...ends])
  const live = likely.filter((candidate) => !natural.failing.includes(candidate))
  if (spare.length > 0) await look([...live, ...spare])
  // While a name begins with a template's own text: knobs further and further away, each tried with what is known.
  for (const candidates of [
    () => undeclaredCandidates(values, templates),
    () => globals,
    () => shared,
    () => readByTemplates(others, templates),
  ]) {
    const more = isOpen() ? candidates() : []
    if (more.length > 0) await look([...live, ...more], scene, FAR_TRIES)
  }
  if (!digests) return
  if (empty.length > 0) {
    const { unseen } = await look([...live, ...empty])
    // Some charts write `sha256:` themselves.
    const bare = empty.filter((candidate) => unseen.includes(candidate))
    if (bare.length > 0) await look([...live, ...bare], { ...scene, bareDigests: true })
  }
  const undeclared = undeclaredDigests(values, statics)
  if (undeclared.length > 0) await look([...live, ...undeclared])
}

// --- internal ---

/** Renders for knobs of which little speaks for that they are any. */
const FAR_TRIES = 16
