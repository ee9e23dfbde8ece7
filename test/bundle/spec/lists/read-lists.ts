import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { loadLists, type ListSources } from '../../../../src/bundle/spec/lists/load.ts'
import { placeText } from '../../../../src/bundle/spec/lists/listing.ts'
import { formatPlatform } from '../../../../src/oci/platform.ts'
import { formatReference } from '../../../../src/oci/reference.ts'
import { parseSpec } from '../../../../src/bundle/spec/spec.ts'

/** What was read, short enough to be written into a test. */
export interface ReadLists {
  /** `reference [platforms] as name`. */
  readonly images: readonly string[]
  /** `name@version=repository`. */
  readonly charts: readonly string[]
  readonly files: readonly string[]
  readonly groups: readonly string[]
  /** `what: name (place)`. */
  readonly notTaken: readonly string[]
}

/** Writes files into a folder of their own, reads them, and shows what came of them. */
export async function readLists(
  files: Readonly<Record<string, string | Uint8Array>>,
  { specs = Object.keys(files), ...more }: Partial<ListSources> = {},
): Promise<ReadLists> {
  const folder = mkdtempSync(join(tmpdir(), 'ma-bundle-lists-'))
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), content)
    }
    const sources = {
      images: [],
      charts: [],
      ...more,
      specs: specs.map((one) => (one === '-' ? one : join(folder, one))),
    }
    const { spec, text, notTaken } = await loadLists(sources)
    // What the bundle carries has to say the same.
    const again = parseSpec(text, 'again')
    if (again.groups.length !== spec.groups.length) throw new Error('the spec does not read back')
    const images = spec.groups.flatMap((group) => group.images)
    return {
      images: images.map(({ reference, platforms, as }) =>
        [
          formatReference(reference),
          ...(platforms === undefined ? [] : [`[${platforms.map(formatPlatform).join(' ')}]`]),
          ...(as === undefined ? [] : [`as ${formatReference(as)}`]),
        ].join(' '),
      ),
      charts: spec.groups.flatMap(({ charts }) =>
        charts.map(({ name, version, repository }) => `${name}@${version}=${repository}`),
      ),
      files: spec.groups.flatMap((group) => group.files.map(({ name, url }) => `${name} ${url}`)),
      groups: spec.groups.map(({ name }) => name),
      notTaken: notTaken.map(
        ({ what, name, at }) => `${what[0]}: ${name} (${placeText(at).replace(folder, '')})`,
      ),
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
