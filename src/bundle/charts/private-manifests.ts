import { yamlText } from '../../lib/text/yaml.ts'
import { repositoryName, parseReference } from '../../oci/reference.ts'
import type { Bundle } from '../format/open.ts'
import type { Layout } from '../format/destination.ts'
import { formatReference } from '../../oci/reference.ts'
import { nameOf, parseSpec } from '../spec/spec.ts'
import { rewriteManifests } from './post-render.ts'
import { createPrivateImages } from './private-images.ts'

/** A manifest with every image of the bundle from the private registry; nothing else of it is changed. */
export interface PrivateManifest {
  /** File name. */
  readonly name: string
  readonly text: string
  /** How many different references were replaced. */
  readonly replaced: number
  /** References that the bundle does not have; they stay as they are. */
  readonly open: readonly string[]
}

export interface PrivateManifests {
  readonly manifests: readonly PrivateManifest[]
  /** A kustomize component whose `images:` do the same. */
  readonly kustomization: string
}

/** The manifests that a bundle carries, for one registry; undefined when it carries none. */
export function privateManifests(bundle: Bundle, layout: Layout): PrivateManifests | undefined {
  const { contents, roots } = bundle
  if (contents === undefined) return undefined
  const there = new Set(roots.map(({ name }) => name))
  const groups = parseSpec(contents.spec, `${contents.name}.yaml`).groups.filter(
    // A group that was left out has left its images out too.
    ({ images }) => images.length === 0 || images.some((image) => there.has(formatReference(nameOf(image)))),
  )
  const carried = groups.flatMap(({ manifests = [] }) => manifests)
  if (carried.length === 0) return undefined
  const images = createPrivateImages(roots, layout)
  const isPrivate = (reference: string): boolean => reference.startsWith(`${layout.registry}/`)
  const replacements = new Map<string, string>()
  const manifests = carried.map(({ path, text = '' }): PrivateManifest => {
    const rewritten = rewriteManifests(text, images, isPrivate)
    for (const [before, after] of rewritten.replaced) replacements.set(before, after)
    return { name: path, text: rewritten.text, replaced: rewritten.replaced.size, open: rewritten.open }
  })
  return { manifests, kustomization: kustomizationOf(replacements) }
}

// --- internal ---

const NOTE = `# Written by ma-bundle, for teams that keep their manifests as they are: name this folder below components: of your own
# kustomization.yaml. It reaches containers and initContainers; the rewritten manifests beside it reach every place.
`

/** https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/ : names match as they are written. */
function kustomizationOf(replacements: ReadonlyMap<string, string>): string {
  const images = new Map<string, object>()
  for (const [before, after] of replacements) {
    const name = before.replace(/@.*$/, '').replace(/:[^:/]*$/, '')
    const target = parseReference(after)
    const { digest } = /@/.test(before) ? parseReference(before) : {}
    const isNew = digest !== undefined && target.digest !== digest
    images.set(name, { name, newName: repositoryName(target), ...(isNew ? { digest: target.digest } : {}) })
  }
  const kind = { apiVersion: 'kustomize.config.k8s.io/v1alpha1', kind: 'Component' }
  return NOTE + yamlText({ ...kind, images: [...images.values()] }, { lineWidth: 0 })
}
