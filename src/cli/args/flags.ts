/** What every flag can say of itself. */
interface FlagFacts {
  /** One sentence, without the final full stop. */
  readonly description: string
  /** One letter: `-q`. */
  readonly alias?: string
  /** A flag that must be given on the command line, in the environment or in the config file. */
  readonly required?: true
  /** How the value is called in the help: `<host>`. */
  readonly hint?: string
  /** May be given several times; the value is then a list, empty when the flag is absent. */
  readonly multiple?: true
  /** Values it knows by name beside anything else it takes; shells complete them. */
  readonly known?: readonly string[]
  /** An empty value means something here; elsewhere it is refused, as it mostly is an unset shell variable. */
  readonly allowEmpty?: true
  /** Title of its section in the help, where that is not the one of its name. */
  readonly section?: string
}

export type BooleanFlag = Omit<FlagFacts, 'required' | 'hint' | 'multiple' | 'known' | 'allowEmpty'> & {
  readonly type: 'boolean'
  /** A flag that is on by default is there to be turned off: `--no-…`. Describe what it does when on. */
  readonly default?: boolean
}
export type StringFlag = FlagFacts & {
  readonly type: 'string'
  readonly default?: string
  /** The flag may have no value: it then means `value`. The next word belongs to it only when it is one of `words`. */
  readonly alone?: { readonly value: string; readonly words: RegExp }
}
export type EnumFlag = FlagFacts & {
  readonly type: 'enum'
  readonly options: readonly string[]
  readonly default?: string
}
export type IntegerFlag = FlagFacts & {
  readonly type: 'integer'
  readonly min?: number
  readonly max?: number
  readonly default?: number
}
/** Bytes: `4GiB`, `650MB`, or one of `names`. */
export type SizeFlag = FlagFacts & {
  readonly type: 'size'
  readonly names?: Readonly<Record<string, number>>
  readonly min?: number
  readonly default?: number
}
export type Flag = BooleanFlag | StringFlag | EnumFlag | IntegerFlag | SizeFlag

/** Arguments without a flag, in the order of their definition. Only the last one may be optional or `multiple`. */
export interface Positional {
  readonly type: 'positional'
  readonly description: string
  /** True by default. */
  readonly required?: boolean
  readonly multiple?: true
  /** All it can be, when that is a few words; shells complete them. */
  readonly words?: readonly string[]
}

/** Arguments of a command by name; `chartPrefix` is `--chart-prefix` and `MA_BUNDLE_CHART_PREFIX`. */
export type ArgsDef = Readonly<Record<string, Flag | Positional>>

type Single<D> = D extends { type: 'boolean' }
  ? boolean
  : D extends { type: 'integer' | 'size' }
    ? number
    : D extends { type: 'enum'; options: readonly (infer Option)[] }
      ? Option
      : string

type Value<D> = D extends { multiple: true }
  ? readonly Single<D>[]
  : D extends { type: 'boolean' } | { default: unknown } | { required: true }
    ? Single<D>
    : D extends { type: 'positional'; required: false }
      ? string | undefined
      : D extends { type: 'positional' }
        ? string
        : Single<D> | undefined

/** What `run` receives for a definition. */
export type Args<A extends ArgsDef> = { readonly [Name in keyof A]: Value<A[Name]> }

/** Flags that every command has. */
export const sharedArgs = {
  json: { type: 'boolean', description: 'Print JSON lines on stdout: events, then one result or error' },
  quiet: {
    type: 'boolean',
    alias: 'q',
    description:
      'Print errors and the result only, in one line where it is a report of work done; with --json, no events',
  },
  verbose: { type: 'boolean', alias: 'v', description: 'Print more: causes of errors, every item' },
  color: {
    type: 'boolean',
    default: true,
    description: 'Use colours on a terminal; NO_COLOR=1 says no as well',
  },
  config: {
    type: 'string',
    hint: 'file',
    description: 'Config file; ma-bundle.config.yaml of the working directory is read when it is there',
  },
} as const satisfies ArgsDef

/** `chartPrefix` -> `chart-prefix`. */
export const kebab = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

/** `chartPrefix` -> `MA_BUNDLE_CHART_PREFIX`. */
export const envName = (name: string): string => `MA_BUNDLE_${kebab(name).replaceAll('-', '_').toUpperCase()}`

export const isFlag = (def: Flag | Positional): def is Flag => def.type !== 'positional'

/** `--chart-prefix`, or `--no-color` for what is on by default: the spelling that changes something. */
export const flagText = (name: string, def: Flag): string =>
  def.type === 'boolean' && def.default === true ? `--no-${kebab(name)}` : `--${kebab(name)}`

/** `<host>`; empty for a boolean. Choices that would not fit into the help become `<choice>`. */
export function hintText(def: Flag): string {
  if (def.type === 'boolean') return ''
  if (standsAlone(def)) return `[${def.hint ?? def.alone.value}]`
  if (def.hint !== undefined) return `<${def.hint}>`
  if (def.type === 'enum') return isLong(def) ? '<choice>' : `<${def.options.join('|')}>`
  return { string: '<text>', integer: '<number>', size: '<size>' }[def.type]
}

/** Whether the flag means something without a value. */
export const standsAlone = (def: Flag): def is StringFlag & Required<Pick<StringFlag, 'alone'>> =>
  def.type === 'string' && def.alone !== undefined

/** Whether the choices need a line of their own. */
export const isLong = ({ options }: EnumFlag): boolean => options.join('|').length > 24
