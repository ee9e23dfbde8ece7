/**
 * The rules of a `.helmignore`: one pattern a line, a trailing `/` means folders only, a pattern with a slash stands for
 * the whole path, one without for a name at any depth. As helm has it, `!` leaves out all that does not fit.
 * https://helm.sh/docs/chart_template_guide/helm_ignore_file/
 * @param text of the file; undefined when there is none
 * @returns whether a path below the chart's folder is left out
 */
export function ignoreRules(text: string | undefined): (path: string, isFolder: boolean) => boolean {
  const rules = ['templates/.?*', ...(text ?? '').split(/\r?\n/)].flatMap((line) => {
    const written = line.trim()
    return written === '' || written.startsWith('#') ? [] : [ruleOf(written)]
  })
  return (path, isFolder) => rules.some((rule) => rule.leavesOut(path, isFolder))
}

// --- internal ---

interface Rule {
  leavesOut(path: string, isFolder: boolean): boolean
}

function ruleOf(written: string): Rule {
  const isNegated = written.startsWith('!')
  const pattern = isNegated ? written.slice(1) : written
  const onlyFolders = pattern.endsWith('/')
  const bare = pattern.replace(/\/+$/, '')
  const expression = expressionOf(bare.replace(/^\//, ''))
  const isWhole = bare.includes('/')
  return {
    leavesOut: (path, isFolder) => {
      const fits =
        (isFolder || !onlyFolders) && expression.test(isWhole ? path : (path.split('/').at(-1) ?? ''))
      return fits !== isNegated
    },
  }
}

/** Go's filepath.Match: `*` and `?` stop at slashes, `[…]` is a class. */
const expressionOf = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern.replaceAll(/\[[^\]]+\]|[\s\S]/g, (part) => {
      if (part === '*') return '[^/]*'
      if (part === '?') return '[^/]'
      if (part.startsWith('[') && part.length > 2) return part.replaceAll('\\', '\\\\')
      return part.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&')
    })}$`,
  )
