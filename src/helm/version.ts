/**
 * Whether two chart versions name the same release: `1.17.2` is `v1.17.2`, `1.2` is `1.2.0`, build metadata does not
 * count. This is what a chart repository's index forgives (Masterminds/semver's lenient parser); OCI tags do not.
 */
export function sameVersion(a: string, b: string): boolean {
  if (a === b) return true
  const left = canonical(a)
  return left !== undefined && left === canonical(b)
}

/**
 * The tags under which an OCI repository may hold a version, the literal one first. Helm writes `+` as `_`
 * (https://github.com/helm/helm/issues/10166), and a `v` may be in Chart.yaml but not in the list, or the reverse.
 */
export function versionTags(version: string): readonly string[] {
  const tag = version.replaceAll('+', '_')
  return tag.startsWith('v') ? [tag, tag.slice(1)] : [tag, `v${tag}`]
}

export const isVersion = (text: string): boolean => VERSION.test(text)

// --- internal ---

const VERSION = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$/

function canonical(version: string): string | undefined {
  const found = VERSION.exec(version)
  if (found === null) return undefined
  const [, major = '0', minor = '0', patch = '0', pre = ''] = found
  return `${[major, minor, patch].map((part) => BigInt(part).toString()).join('.')}${pre}`
}
