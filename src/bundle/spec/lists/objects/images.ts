import { referencesOf } from '../../../../helm/values/render/rendered.ts'
import { BundleError } from '../../../../lib/errors.ts'
import { isObject } from '../../../../oci/manifest.ts'
import { parseReference } from '../../../../oci/reference.ts'
import { templateIn } from '../image-text.ts'
import type { ListingWriter, ListPlace } from '../listing.ts'
import { textAt, type KubeObject } from './object.ts'

/** Finds the line on which a text of an object stands. */
export type FindLine = (text: string, from: ListPlace) => ListPlace

/**
 * The images of an object, in every place where rendered charts are searched: image fields, arguments, variables,
 * custom resources, configuration.
 */
export function readImages(object: KubeObject, find: FindLine, to: ListingWriter): void {
  if (NOT_PULLED.test(object.kind)) return
  if (object.kind === 'ReplicaSet' && valueOf(object, 'replicas') === 0 && isOwned(object.object)) {
    const why = 'it is the past of a Deployment, and runs nothing'
    to.leaveOut(['old ReplicaSet', 'old ReplicaSets'], nameOf(object), why, object.at)
    return
  }
  const wanted = withoutPast(object.object)
  const texts = new Set<string>()
  for (const text of podImages(wanted)) {
    if (isReference(text)) texts.add(text)
    else {
      const template = templateIn(text)
      const why =
        template === undefined
          ? 'is no image reference'
          : `is a template: ${template} has to be filled in first`
      to.problem(find(text, object.at), `"${text.slice(0, 200)}" of ${nameOf(object)} ${why}`)
    }
  }
  const { kind, name } = object
  const named = referencesOf([{ key: `${kind}|${name}`, kind, name, object: wanted }])
  for (const { text, stem } of named) {
    // Elsewhere than in pods a program may add the version, and only that program knows it.
    if (stem === true || !(texts.has(text) || /:[^/]*$|@/.test(text))) leaveStem(text, object, find, to)
    else texts.add(text)
  }
  for (const text of texts) to.image(text, find(text, object.at))
}

export const nameOf = ({ kind, name, namespace }: KubeObject): string =>
  `${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`

// --- internal ---

/** Kinds that only speak of images: rules, scans, events, what a node has, old revisions. */
const NOT_PULLED =
  /^(?:CustomResourceDefinition|Event|Node|ControllerRevision|ClusterPolicy|Policy|ImageValidatingPolicy|ClusterImagePolicy|ImagePolicy|ImageRepository|ImageUpdateAutomation|Image(?:Digest|Tag)MirrorSet|ValidatingAdmissionPolicy|Lease|EndpointSlice|Endpoints|HelmRepository|OCIRepository)$/

const valueOf = ({ object }: KubeObject, key: string): unknown =>
  isObject(object['spec']) ? object['spec'][key] : undefined

const isOwned = ({ metadata }: Readonly<Record<string, unknown>>): boolean =>
  isObject(metadata) && Array.isArray(metadata['ownerReferences']) && metadata['ownerReferences'].length > 0

/** What was, and copies of the object that tools keep in it, are no wishes of their own. */
function withoutPast(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { status: _, ...rest } = object
  const { metadata } = rest
  const spec = withoutDisks(rest['spec'])
  if (!isObject(metadata) || !isObject(metadata['annotations'])) return { ...rest, spec }
  const kept = Object.entries(metadata['annotations']).filter(([key]) => !LAST_APPLIED.test(key))
  const { managedFields: __, ...others } = metadata
  return { ...rest, spec, metadata: { ...others, annotations: Object.fromEntries(kept) } }
}

/** A disk of RBD has a key `image`, which is none. */
function withoutDisks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDisks)
  if (!isObject(value)) return value
  const kept = Object.entries(value).filter(([key, inner]) => key !== 'rbd' || !isObject(inner))
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutDisks(inner)]))
}

const LAST_APPLIED = /last-applied-configuration$|^objectset\.rio\.cattle\.io\/applied$/

/** Of every list of containers at any depth, and of image volumes; a list may be in a custom resource. */
function* podImages(value: unknown): Iterable<string> {
  if (Array.isArray(value)) {
    for (const item of value) yield* podImages(item)
    return
  }
  if (!isObject(value)) return
  for (const [key, inner] of Object.entries(value)) {
    if (CONTAINERS.has(key) && Array.isArray(inner)) {
      for (const container of inner) {
        const image = textAt(container, 'image') ?? textAt(container, 'image', 'reference')
        if (image !== undefined && image !== 'auto') yield image
      }
    }
    yield* podImages(inner)
  }
}

const CONTAINERS = new Set([
  'containers',
  'initContainers',
  'ephemeralContainers',
  'sidecars',
  'steps',
  'volumes',
])

function isReference(text: string): boolean {
  if (templateIn(text) !== undefined) return false
  try {
    parseReference(text)
    return true
  } catch (error) {
    if (error instanceof BundleError) return false
    throw error
  }
}

function leaveStem(text: string, object: KubeObject, find: FindLine, to: ListingWriter): void {
  const why = 'a program adds the version: give the image with --image, if it is pulled'
  to.leaveOut(['name without a version', 'names without a version'], text, why, find(text, object.at))
}
