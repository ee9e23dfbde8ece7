import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readSmall } from '../../../lib/bytes/small-file.ts'
import { usageError } from '../../../lib/errors.ts'
import { whyUnreadable } from '../../../lib/file-errors.ts'
import type { BundleSpec, SpecGroup, SpecManifest } from '../spec.ts'
import { clean, specOfListing } from './combine.ts'
import type { Listing, ListPlace } from './listing.ts'
import type { KubeObject } from './objects/object.ts'
import { lineFinder, readObjects } from './objects/read.ts'
import { recognise } from './recognise.ts'
import { textOfList } from './source-text.ts'

/** A spec whose manifests were read: it carries them, and lists what they pull. */
export interface ReadManifests {
  readonly spec: BundleSpec
  readonly listings: readonly Listing[]
  readonly placeOf: (item: object) => ListPlace | undefined
}

/** Whether any manifests are named that are not read yet. */
export const hasUnread = ({ groups }: BundleSpec): boolean =>
  groups.some(({ manifests = [] }) => manifests.some(({ text }) => text === undefined))

/**
 * Reads the manifests that a spec names, files and folders, and adds their images and charts to the groups.
 * @throws a usage error when one cannot be read, or is no manifest
 */
export async function readManifests(spec: BundleSpec): Promise<ReadManifests> {
  const listings: Listing[] = []
  const places = new Map<object, ListPlace>()
  const groups: SpecGroup[] = []
  for (const group of spec.groups) {
    const read = (await Promise.all((group.manifests ?? []).map(readOne))).flat()
    const all = read.flatMap(({ objects }) => objects)
    let { images, charts } = group
    for (const { manifest, objects, to } of read) {
      if (to === undefined) continue
      readObjects(objects, all, lineFinder(manifest.text ?? ''), to)
      listings.push(to.listing)
      const { spec: found, placeOf } = specOfListing(group.name, to.listing)
      for (const one of found.groups) {
        for (const item of [...one.images, ...one.charts]) places.set(item, placeOf(item))
        images = [...images, ...one.images]
        charts = [...charts, ...one.charts]
      }
    }
    const manifests = named(read.map(({ manifest }) => manifest))
    groups.push({ ...group, images, charts, ...(manifests.length === 0 ? {} : { manifests }) })
  }
  return { spec: { ...spec, groups }, listings, placeOf: (item) => places.get(item) }
}

// --- internal ---

const LIMIT = 4 * 1024 * 1024

interface ReadManifest {
  readonly manifest: SpecManifest
  readonly objects: readonly KubeObject[]
  /** Absent for one that was read before. */
  readonly to?: Extract<ReturnType<typeof recognise>, { kind: 'list' }>['to']
}

async function readOne(manifest: SpecManifest): Promise<readonly ReadManifest[]> {
  if (manifest.text !== undefined) return [{ manifest, objects: [] }]
  const { path, local } = manifest
  if (local === undefined) {
    throw usageError(`the manifest ${path} lies beside a spec that is not here`, {
      next: 'give the spec again with --spec',
    })
  }
  try {
    if (!(await stat(local)).isDirectory()) return [await readFile(path, local)]
    const files = (await readdir(local, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && /\.(?:ya?ml|json)$/i.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name).slice(join(local, '/').length))
      .toSorted()
    if (files.length === 0) throw usageError(`the folder ${path} holds no YAML and no JSON`)
    return await Promise.all(files.map((file) => readFile(join(path, file), join(local, file))))
  } catch (error) {
    if (error instanceof Error && 'kind' in error) throw error
    throw usageError(`cannot read the manifest ${path}: ${whyUnreadable(error)}`, { cause: error })
  }
}

async function readFile(path: string, local: string): Promise<ReadManifest> {
  const text = textOfList(await readSmall(local, LIMIT), path)
  const found = recognise({ file: path, text, folder: dirname(local), isOneOfMany: true })
  if (found.kind === 'spec' || found.objects.length === 0) {
    throw usageError(`${path} holds no Kubernetes object`, {
      next: 'give a list of images with --spec instead',
    })
  }
  return { manifest: { path: clean(basename(path)), text }, objects: found.objects, to: found.to }
}

/** Names of files that must differ in the folder they are written to. */
function named(manifests: readonly SpecManifest[]): readonly SpecManifest[] {
  const taken = new Set<string>()
  return manifests.map((manifest) => {
    const [, stem = '', ending = ''] = /^(.*?)(\.[^.]*)?$/.exec(manifest.path) ?? []
    let path = manifest.path
    for (let at = 2; taken.has(path); at += 1) path = `${stem}-${at}${ending}`
    taken.add(path)
    return { ...manifest, path }
  })
}
