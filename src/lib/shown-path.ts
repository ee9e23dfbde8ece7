import { basename, isAbsolute } from 'node:path'

/**
 * A path of this machine as messages show it: logs and reports travel, and how the folders of a machine are called is
 * nobody's business there. Relative ones stay as they were typed; what lies at home begins with `~`.
 */
export function shownPath(path: string, home?: string): string {
  if (home !== undefined && home.length > 1 && path.startsWith(`${home}/`))
    return `~${path.slice(home.length)}`
  return isAbsolute(path) ? `…/${basename(path)}` : path
}
