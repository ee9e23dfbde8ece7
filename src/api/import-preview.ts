import { checkRoots } from '../bundle/import/compare.ts'
import { usageError } from '../lib/errors.ts'
import type { Medium } from '../bundle/media/medium.ts'
import { withBundleOn } from '../bundle/media/with-bundle.ts'
import { FailuresError } from '../bundle/run/failures.ts'
import type { RootKind } from '../bundle/run/events.ts'
import type { Surroundings } from '../bundle/run/surroundings.ts'
import { blobsIn } from '../oci/graph.ts'
import type { Digest } from '../oci/digest.ts'
import { pickedFrom } from '../setup/pick.ts'
import { connectTarget } from '../setup/target.ts'
import type { ImportRequest } from './import-from.ts'

/** What an import would do: nothing was changed. */
export interface ImportPreview {
  readonly registry: string
  readonly dryRun: true
  readonly roots: readonly {
    readonly kind: RootKind
    readonly name: string
    readonly repository: string
    readonly tags: readonly string[]
    readonly state: 'there' | 'missing'
  }[]
  /** Bytes below what is missing, each blob once for each repository; what the registry has of it is not sent. */
  readonly bytes: number
}

/**
 * Looks at the registry as an import does before it pushes: one request for each image and chart.
 * @throws FailuresError when the registry does not say; a usage error for a pipe
 */
export async function previewImport(
  medium: Medium,
  {
    layout,
    target,
    trust,
    pick,
    repair,
  }: Pick<ImportRequest, 'layout' | 'target' | 'trust' | 'pick' | 'repair'>,
  around: Surroundings,
): Promise<ImportPreview> {
  if (!medium.can.seek) {
    throw usageError('--dry-run needs a bundle that can be read twice, not a pipe', {
      next: 'save the bundle to a file first',
    })
  }
  return withBundleOn(medium, trust, async ({ bundle: whole }) => {
    const bundle = pickedFrom(whole, pick, around)
    const opened = await connectTarget(target, around)
    const { target: registry, network } = opened
    try {
      const { checked, failures } = await checkRoots(bundle, registry, { ...network, layout, repair })
      if (failures.length > 0)
        throw new FailuresError(
          `${failures.length} of ${bundle.roots.length} could not be looked up`,
          failures,
        )
      const sizes = new Map<string, number>()
      for (const { graph, repository } of checked) {
        if (graph === undefined) continue
        for (const { digest, size } of blobsIn(graph)) sizes.set(keyOf(repository, digest), size)
      }
      return {
        registry: layout.registry,
        dryRun: true,
        roots: checked.map(({ root: { kind, name }, repository, tags, graph }) => ({
          kind,
          name,
          repository,
          tags,
          state: graph === undefined ? 'there' : 'missing',
        })),
        bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0),
      }
    } finally {
      opened.close()
    }
  })
}

// --- internal ---

const keyOf = (repository: string, digest: Digest): string => `${repository} ${digest}`
