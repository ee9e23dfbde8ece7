import { parseReference } from '../../oci/reference.ts'
import type { BundleSpec, SpecChart, SpecImage } from './model.ts'
import { checkChart } from './read.ts'
import { expected, fields, isMapping, items, keysOf, type YamlNode } from './yaml-reader.ts'
import { parsed, text } from './yaml-values.ts'

/** Whether a file is the list Migration Assistant ships: it says no apiVersion, and has charts or images at the top. */
export function isList(root: YamlNode): boolean {
  if (!isMapping(root)) return false
  const keys = keysOf(root)
  return (
    !keys.includes('apiVersion') &&
    !keys.includes('kind') &&
    !keys.includes('groups') &&
    (keys.includes('charts') || keys.includes('images'))
  )
}

/**
 * `charts: ["name|version|repository"]` and `images: [reference]`, without name or version: the list is called after
 * its file. It has no groups, so it becomes one.
 */
export function readList(root: YamlNode): BundleSpec {
  const found = fields(root, ['charts', 'images'])
  const charts = items(found?.get('charts'), CHART).flatMap((place) => readChart(place) ?? [])
  const images = items(found?.get('images'), 'images').flatMap((place): SpecImage[] => {
    const reference = parsed(place, 'an image reference', parseReference)
    return reference === undefined ? [] : [{ reference, allowMissingPlatforms: false }]
  })
  const name = (root.file.fileName.split(/[\\/]/).at(-1) ?? '').replace(/\.[^.]*$/, '')
  return {
    name: name === '' ? 'bundle' : name,
    mirrors: new Map(),
    groups: [{ name: 'all', optional: false, charts, images, files: [] }],
    bindings: new Map(),
    hints: new Map(),
  }
}

// --- internal ---

const CHART = '"name|version|repository"'

function readChart(place: YamlNode): SpecChart | undefined {
  const line = text(place, CHART)
  if (line === undefined) return undefined
  const [name, version, repository, ...rest] = line.split('|').map((part) => part.trim())
  if (name === undefined || version === undefined || repository === undefined || rest.length > 0) {
    return expected(place, CHART)
  }
  return checkChart({ name, version, repository, key: name }, () => place)
}
