import { pathText, type Path } from '../tree.ts'

/** The largest set of items found to work together, and what it gave. */
export interface Grown<Item, Result> {
  readonly accepted: readonly Item[]
  readonly rejected: readonly Item[]
  readonly result: Result
}

export type Attempt<Result> =
  | { readonly ok: true; readonly result: Result }
  | { readonly ok: false; readonly message: string }

/**
 * Tries all items at once. When they fail, those that the failure's words point at are set aside and tried last;
 * where it points at none, the items are halved until the ones that fail are known. `budget` limits the tries; what
 * is not tried by then is rejected.
 */
export async function grow<Item, Result>(
  items: readonly Item[],
  attempt: (items: readonly Item[]) => Promise<Attempt<Result>>,
  nothing: Result,
  suspects: (message: string, items: readonly Item[]) => readonly Item[] = () => [],
  budget = 40,
): Promise<Grown<Item, Result>> {
  let left = budget
  let accepted: readonly Item[] = []
  let result = nothing
  const rejected: Item[] = []
  const add = async (more: readonly Item[]): Promise<void> => {
    if (more.length === 0) return
    left -= 1
    const tried = left < 0 ? undefined : await attempt([...accepted, ...more])
    if (tried?.ok === true) {
      accepted = [...accepted, ...more]
      result = tried.result
      return
    }
    if (more.length === 1 || tried === undefined) {
      rejected.push(...more)
      return
    }
    const named = new Set(suspects(tried.message, more))
    if (named.size > 0 && named.size < more.length) {
      await add(more.filter((item) => !named.has(item)))
      await add([...named])
      return
    }
    const half = Math.ceil(more.length / 2)
    await add(more.slice(0, half))
    await add(more.slice(half))
  }
  await add(items)
  return { accepted, rejected, result }
}

/** Of some values paths, those that a failure of helm names, or that the template it names reads. */
export function pathsNamed(
  message: string,
  paths: readonly Path[],
  mentions: readonly { readonly path: Path; readonly file: string }[] = [],
): Path[] {
  const named = paths.filter((path) => {
    const text = path.filter((step) => typeof step === 'string').join('.')
    const short = path.slice(-2).join('.')
    return message.includes(text) || (path.length > 2 && short.length > 8 && message.includes(short))
  })
  if (named.length > 0) return named
  // `at <.passwordSecret.name>`, `at <.Values.a.b>`
  const steps = [...message.matchAll(/<\S*?((?:\.[A-Za-z]\w*)+)>/g)].flatMap(([, text = '']) =>
    text.slice(1).split('.'),
  )
  const last = steps.filter((step) => step.length > 4 && step !== 'Values').slice(-3)
  const stepped = paths.filter((path) => last.some((step) => path.includes(step)))
  if (stepped.length > 0 && stepped.length < paths.length / 2) return stepped
  // `(chart/charts/sub/templates/x.yaml:3:4)`, `template: chart/templates/x.yaml:3:4`, `error on chart/templates/x.yaml:`
  const files = [...message.matchAll(/[\w.-]+\/((?:charts\/[\w.-]+\/)*templates\/[\w./-]+\w):/g)].map(
    ([, file = '']) => file.replace(/charts\/([\w.-]+)\//g, '$1/'),
  )
  for (const file of files) {
    const read = mentions.filter((mention) => mention.file === file).map(({ path }) => pathText(path))
    const exact = new Set(read)
    const inFile = paths.filter((path) => exact.has(pathText(path)))
    if (inFile.length > 0) return inFile
    const below = paths.filter((path) => read.some((text) => pathText(path).startsWith(`${text}.`)))
    if (below.length > 0 && below.length < paths.length / 2) return below
  }
  // The whole of the subchart that fails.
  const prefix =
    /^(.*)templates\//
      .exec(files[0] ?? '')?.[1]
      ?.split('/')
      .slice(0, -1) ?? []
  return prefix.length === 0 ? [] : paths.filter((path) => prefix.every((step, at) => path[at] === step))
}
