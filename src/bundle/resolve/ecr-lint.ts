import { repositoryNameProblem } from '../../aws/ecr/repository-name.ts'
import { lintForEcr, lintTagForEcr } from '../../aws/ecr/manifest-rules.ts'
import { parseReference } from '../../oci/reference.ts'
import { chartRepository, chartTags, imageRepository, type Layout } from '../format/destination.ts'
import type { Root } from '../format/root.ts'

/** Something of a root that ECR would refuse. */
export interface LintFinding {
  readonly name: string
  readonly rule: string
  readonly what: string
  readonly remedy: string
}

/** Where an import puts things by default. */
const DEFAULT_LAYOUT: Layout = { registry: '', path: '', prefix: 'mirrored', chartPrefix: 'charts' }

/**
 * What ECR would refuse at the import, found while the internet is still there to get another image.
 * https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-manifest-formats.html
 */
export function lintRoots(roots: readonly Root[]): readonly LintFinding[] {
  return roots.flatMap((root) => {
    if (root.kind === 'file') return []
    const manifests = root.graph.nodes.flatMap(({ raw, descriptor }) => lintForEcr(raw, descriptor.mediaType))
    const { repository, tags } = destination(root)
    const problem = repositoryNameProblem(repository)
    const names =
      problem === undefined
        ? []
        : [
            {
              rule: 'repository-name',
              what: `"${repository}" cannot be a repository: ${problem}`,
              remedy: 'give it another name with "as" in the spec',
            },
          ]
    return [...names, ...tags.flatMap(lintTagForEcr), ...manifests].map((finding) => ({
      name: root.name,
      ...finding,
    }))
  })
}

// --- internal ---

function destination(root: Exclude<Root, { kind: 'file' }>): { repository: string; tags: readonly string[] } {
  if (root.kind === 'chart') {
    return { repository: chartRepository(DEFAULT_LAYOUT, root.chart), tags: chartTags(root.version) }
  }
  const reference = parseReference(root.name)
  return {
    repository:
      root.chart === undefined
        ? imageRepository(DEFAULT_LAYOUT, reference)
        : chartRepository(DEFAULT_LAYOUT, root.chart),
    tags: reference.tag === undefined ? [] : [reference.tag],
  }
}
