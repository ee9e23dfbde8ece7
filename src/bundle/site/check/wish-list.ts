import { jsonText } from '../../../lib/text/visible.ts'
import type { Digest } from '../../../oci/digest.ts'
import { formatReference, parseReference } from '../../../oci/reference.ts'
import { encodeInventory } from '../../export/inventory.ts'
import type { Layout } from '../../format/destination.ts'
import { ADD, type ClusterCheck } from './check.ts'

/** Public names of the images that a cluster needs and no bundle brought, sorted. */
export function missingImages({ images }: ClusterCheck, layout: Layout): readonly string[] {
  const names = images
    .filter(
      ({ verdict, next }) =>
        verdict === 'not-bundled' || (verdict === 'public' && next?.startsWith(ADD) === true),
    )
    .flatMap(({ image }) => publicName(image, layout) ?? [])
  return [...new Set(names)].toSorted()
}

/**
 * One file for the way back: the inventory of what the registry has, as comments, and a spec of what is missing, so that
 * `export --spec <file> --since <file>` fetches nothing that is there.
 */
export const wishList = (images: readonly string[], inventory: readonly Digest[]): string =>
  [
    ...encodeInventory(inventory, false)
      .trimEnd()
      .split('\n')
      .map((line) => `# ${line}`),
    '',
    '# What a cluster needs and its bundle does not have. On the connected side, with the name of this file:',
    '#   ma-bundle export missing.tar --spec missing.yaml --since missing.yaml',
    'apiVersion: ma-bundle/v1',
    'kind: BundleSpec',
    'name: missing',
    'version: "1"',
    'groups:',
    '  - name: missing',
    images.length === 0 ? '    images: []' : '    images:',
    ...images.map((image) => `      - ${jsonText(image)}`),
    '',
  ].join('\n')

// --- internal ---

/** `registry/mirrored/quay.io/x:1` was `quay.io/x:1`; what is no host behind the prefix cannot be known. */
function publicName(text: string, { registry, path, prefix }: Layout): string | undefined {
  const reference = parseReference(text)
  if (reference.registry !== registry) return formatReference(reference)
  const start = [path, prefix].filter((part) => part !== '').join('/')
  if (!reference.repository.startsWith(`${start}/`)) return undefined
  const [host = '', ...rest] = reference.repository.slice(start.length + 1).split('/')
  if (rest.length === 0 || !/[.]|^localhost$/.test(host)) return undefined
  const version = reference.digest === undefined ? `:${reference.tag ?? 'latest'}` : `@${reference.digest}`
  return `${host}/${rest.join('/')}${version}`
}
