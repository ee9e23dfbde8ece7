import { usageError } from '../../../lib/errors.ts'
import { isRepository, type Reference } from '../../../oci/reference.ts'

/** `quay.io/team=ours`: images below the one land below the other. */
export interface NameMap {
  /** A host, perhaps with a path; short names of Docker Hub as they are. No slash at its end. */
  readonly from: string
  /** A path in the private registry; may be empty. */
  readonly to: string
}

/**
 * `--map from=to`, given several times.
 * @throws a usage error for what is no map, and for two that contradict
 */
export function parseMaps(texts: readonly string[]): readonly NameMap[] {
  const maps = texts.map((text): NameMap => {
    const equals = text.indexOf('=')
    const [from, to] = [text.slice(0, equals), text.slice(equals + 1)].map((part) => part.replace(/\/+$/, ''))
    if (equals < 1 || from === undefined || from === '' || to === undefined) {
      throw usageError(`--map "${text}" does not say what becomes what`, {
        next: 'write --map quay.io/=team/quay/, or --map docker.io/library/nginx=web/nginx',
      })
    }
    if (to !== '' && !isRepository(to)) {
      throw usageError(`"${to}" of --map cannot be part of a repository name`, {
        next: 'use lower case letters, digits and . _ - /, and start with a letter',
      })
    }
    return { from: from.toLowerCase(), to }
  })
  for (const [at, { from }] of maps.entries()) {
    if (maps.findIndex((map) => map.from === from) !== at)
      throw usageError(`--map ${from} is given twice`, { next: 'keep one of them' })
  }
  return maps.toSorted((a, b) => b.from.length - a.from.length)
}

/**
 * `{host}/{path}`, checked.
 * @throws a usage error for a part that is unknown or cannot be in a repository's name
 */
export function parseTemplate(template: string): string {
  const unknown = [...template.matchAll(/\{([^}]*)\}?/g)]
    .map(([part]) => part)
    .find((part) => !PARTS.test(part))
  if (unknown !== undefined) {
    throw usageError(`--repository has no part ${unknown}`, {
      next: 'its parts are {host}, {path} and {name}: quay.io, team/app and app of quay.io/team/app',
    })
  }
  if (!isRepository(template.replaceAll(PART, 'x'))) {
    throw usageError(`"${template}" of --repository makes no repository name`, {
      next: 'write it as in all/{host}/{path}, in lower case letters, digits and . _ - /',
    })
  }
  return template
}

/** Where the longest map that fits puts an image; undefined when none does. */
export function mappedName(
  maps: readonly NameMap[],
  { registry, repository }: Reference,
): string | undefined {
  const long = `${registry.toLowerCase()}/${repository}`
  const names = registry === 'docker.io' ? [long, repository, repository.replace(/^library\//, '')] : [long]
  for (const { from, to } of maps) {
    const name = names.find((one) => one === from || one.startsWith(`${from}/`))
    if (name !== undefined) return [to, name.slice(from.length + 1)].filter((part) => part !== '').join('/')
  }
  return undefined
}

/** The name that a template makes of an image. */
export const templatedName = (template: string, host: string, { repository }: Reference): string =>
  template.replaceAll(PART, (_, part: string) =>
    part === 'host' ? host : part === 'path' ? repository : (repository.split('/').at(-1) ?? repository),
  )

// --- internal ---

const PART = /\{(host|path|name)\}/g
const PARTS = /^\{(?:host|path|name)\}$/
