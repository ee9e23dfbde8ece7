import { usageError } from '../../lib/errors.ts'
import type { Source } from '../../oci/content.ts'
import type { Descriptor } from '../../oci/descriptor.ts'
import type { Digest } from '../../oci/digest.ts'
import type { Contents, RootContents } from '../format/contents.ts'
import type { Lock } from '../spec/lock-file.ts'
import type { Bundle } from '../format/open.ts'
import { blobPath } from '../format/plan.ts'
import { chartsThere } from '../charts/override-charts.ts'
import { filePath } from '../format/root.ts'
import { lockIn } from '../export/since.ts'
import { parseSpec, selectGroups, type BundleSpec, type SpecGroup } from '../spec/spec.ts'

/** A bundle that is to be joined with others, read as far as its tables go. */
export interface MergePart {
  /** The file's name, for messages. */
  readonly name: string
  readonly bundle: Bundle
  readonly contents: Contents
  readonly lock: Lock
  readonly spec: BundleSpec
  /** The groups of the spec that are in the bundle. */
  readonly groups: readonly SpecGroup[]
  /** What the consumer chart calls each chart, by `<name>:<version>`. */
  readonly keys: ReadonlyMap<string, string>
}

/** @throws a usage error for a layout of another tool: it has no spec, so nobody knows what its names are to a chart */
export async function readPart(name: string, bundle: Bundle): Promise<MergePart> {
  const { contents, roots } = bundle
  const lock = await lockIn(bundle)
  if (contents === undefined || lock === undefined) {
    throw usageError('it is an OCI layout of another tool, which has no spec and no lock to join', {
      where: name,
      next: 'list its images in a spec, and export that; or import it on its own',
    })
  }
  const spec = parseSpec(contents.spec, `${contents.name}.yaml`)
  const charts = roots.filter((root) => root.kind === 'chart')
  const there = chartsThere(
    spec,
    charts.map(({ chart, version }) => ({ name: chart, version })),
  )
  return {
    name,
    bundle,
    contents,
    lock,
    spec,
    groups: selectGroups(spec, lock.export?.groups, lock.export?.without),
    keys: new Map(there.map((chart) => [`${chart.name}:${chart.version}`, chart.key])),
  }
}

/** Where a part has this content; undefined when it does not carry it. */
export function contentIn({ bundle, contents }: MergePart): (blob: Descriptor) => Source | undefined {
  const { archive } = bundle
  const named = new Map<Digest, string>([
    ...bundle.roots.filter(isFile).map(({ name, digest }): [Digest, string] => [digest, filePath(name)]),
    ...(contents.programs ?? []).map(({ path, digest }): [Digest, string] => [digest, path]),
  ])
  return ({ digest, size }) => {
    const path = [blobPath(digest), named.get(digest)].find(
      (one) => one !== undefined && archive.entries.get(one)?.size === size,
    )
    if (path === undefined) return undefined
    return {
      resolve: () => Promise.reject(new Error('manifests are not fetched from it')),
      fetch: (_, start) => Promise.resolve(archive.read(path, start)),
    }
  }
}

// --- internal ---

const isFile = (root: RootContents) => root.kind === 'file'
