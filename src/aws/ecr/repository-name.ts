const SEGMENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/

/**
 * Says what is wrong with a repository name by ECR's rules, which are narrower than those of other registries;
 * undefined for a good one. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
 */
export function repositoryNameProblem(name: string): string | undefined {
  if (name.length < 2) return `"${name}" is too short: ECR requires at least 2 characters`
  if (name.length > 256) {
    return `"${name.slice(0, 60)}…" has ${name.length} characters: ECR allows 256, the prefix included`
  }
  const bad = name.split('/').find((segment) => !SEGMENT.test(segment))
  return bad === undefined ? undefined : `"${name}": ${whyNotSegment(bad)}`
}

// --- internal ---

function whyNotSegment(segment: string): string {
  if (segment === '') return 'it has an empty part between, before or after slashes'
  if (segment !== segment.toLowerCase()) return `ECR has no upper-case letters in names ("${segment}")`
  const odd = /[^a-z0-9._-]/.exec(segment)?.[0]
  if (odd !== undefined) return `ECR does not allow "${odd}" in names ("${segment}")`
  if (!/^[a-z0-9].*[a-z0-9]$|^[a-z0-9]$/.test(segment)) {
    return `each part has to begin and end with a letter or digit ("${segment}")`
  }
  return `ECR allows one dot, one or two underscores, or hyphens between letters and digits, not a mix ("${segment}")`
}
