import { usageError } from '../lib/errors.ts'
import { didYouMean } from '../lib/text/suggest.ts'
import type { CommandSpec } from '../cli/command-spec.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { flagText, isFlag, type Flag } from '../cli/args/flags.ts'

export default defineBundleCommand({
  name: 'completion',
  description: 'Prints a script that completes commands, flags and their values in bash, zsh or fish.',
  examples: [
    {
      command: 'source <(ma-bundle completion bash)',
      description: 'In this bash; put it into ~/.bashrc to keep it',
    },
    { command: 'ma-bundle completion zsh > "${fpath[1]}/_ma-bundle"', description: 'For zsh' },
    {
      command: 'ma-bundle completion fish > ~/.config/fish/completions/ma-bundle.fish',
      description: 'For fish',
    },
  ],
  args: {
    shell: {
      type: 'positional',
      words: ['bash', 'zsh', 'fish'],
      description: 'The shell: bash, zsh or fish',
    },
  },
  async run({ shell }, session, catalog) {
    const script = Object.hasOwn(shells, shell) ? shells[shell] : undefined
    if (script === undefined) {
      throw usageError(`there is no completion for ${JSON.stringify(shell)}`, {
        next: didYouMean(shell, Object.keys(shells)) ?? `choose one of ${Object.keys(shells).join(', ')}`,
      })
    }
    const text = script((await catalog.specs()).map(completable))
    session.result({ shell, script: text }, text)
  },
})

// --- internal ---

interface CompletableFlag {
  readonly text: string
  readonly description: string
  /** Empty for a boolean. */
  readonly values: readonly string[]
  /** Whether it may be a file, or anything else. */
  readonly isOpen: boolean
}

interface Completable {
  readonly name: string
  readonly description: string
  readonly flags: readonly CompletableFlag[]
  /** What its first argument can be; empty when that may be a file. */
  readonly words: readonly string[]
}

const completable = ({ name, description, args }: CommandSpec): Completable => ({
  name,
  // Shells show one line.
  description: /^.*?[.:](?= |$)/s.exec(description)?.[0].slice(0, -1) ?? description,
  flags: Object.entries(args).flatMap(([arg, def]) => (isFlag(def) ? [completableFlag(arg, def)] : [])),
  words: Object.values(args).flatMap((def) => (isFlag(def) ? [] : (def.words ?? []))),
})

function completableFlag(arg: string, def: Flag): CompletableFlag {
  const text = flagText(arg, def)
  if (def.type === 'boolean') {
    const { description } = def
    const off = `Do not ${description.charAt(0).toLowerCase()}${description.slice(1)}`
    return { text, description: def.default === true ? off : description, values: [], isOpen: false }
  }
  const values = def.type === 'enum' ? def.options : (def.known ?? [])
  return { text, description: def.description, values, isOpen: def.type !== 'enum' }
}

const namesOf = (commands: readonly Completable[]): string => commands.map(({ name }) => name).join(' ')

const shells: Readonly<Record<string, (commands: readonly Completable[]) => string>> = {
  bash: (commands) => `# bash completion for ma-bundle
_ma_bundle() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} cmd=\${COMP_WORDS[1]}
  COMPREPLY=()
  # bash makes a word of its own of the = in --flag=value.
  if [ "$cur" = "=" ]; then cur=; elif [ "$prev" = "=" ]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${namesOf(commands)} help --help --version" -- "$cur"))
    return
  fi
  case "$cmd $prev" in
${commands.flatMap(({ name, flags }) => flags.map((flag) => bashValues(name, flag))).join('')}  esac
  case "$cmd $cur" in
${commands.map(({ name, flags }) => `    "${name} -"*) COMPREPLY=($(compgen -W "${flags.map(({ text }) => text).join(' ')} --help" -- "$cur")) ;;\n`).join('')}${commands.map(bashWords).join('')}    "help "*) COMPREPLY=($(compgen -W "${namesOf(commands)}" -- "$cur")) ;;
    *) COMPREPLY=($(compgen -f -- "$cur")) ;;
  esac
}
complete -o filenames -F _ma_bundle ma-bundle
`,
  zsh: (commands) => `#compdef ma-bundle
_ma-bundle() {
  local -a commands=(
${commands.map(({ name, description }) => `    ${quote(`${name}:${description}`)}\n`).join('')}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local cmd=$words[2]
  shift words
  (( CURRENT -= 1 ))
  case $cmd in
    help) _describe command commands ;;
${commands.map(({ name, flags, words }) => `    ${name})\n      _arguments -s ${[...flags.map(zshFlag), quote(words.length === 0 ? '*:file:_files' : `1:word:(${words.join(' ')})`)].join(' \\\n        ')}\n      ;;\n`).join('')}  esac
}
_ma-bundle_or_file() { compadd -- "$@"; _files; }
if [ "$funcstack[1]" = "_ma-bundle" ]; then _ma-bundle "$@"; else compdef _ma-bundle ma-bundle; fi
`,
  fish: (commands) => `# fish completion for ma-bundle
${commands.map(({ name, description }) => `complete -c ma-bundle -f -n __fish_use_subcommand -a ${name} -d ${quote(description)}\n`).join('')}complete -c ma-bundle -f -n __fish_use_subcommand -a help -d 'Show the help of a command'
complete -c ma-bundle -f -n '__fish_seen_subcommand_from help' -a ${quote(namesOf(commands))}
${commands.flatMap(({ name, flags, words }) => [...flags.map((flag) => fishFlag(name, flag)), ...fishWords(name, words)]).join('')}`,
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

function bashValues(command: string, { text, values, isOpen }: CompletableFlag): string {
  const words = values.length === 0 ? '' : `$(compgen -W "${values.join(' ')}" -- "$cur")`
  const files = isOpen ? '$(compgen -f -- "$cur")' : ''
  if (words + files === '') return ''
  return `    "${command} ${text}") COMPREPLY=(${[words, files].filter((part) => part !== '').join(' ')}); return ;;\n`
}

const bashWords = ({ name, words }: Completable): string =>
  words.length === 0 ? '' : `    "${name} "*) COMPREPLY=($(compgen -W "${words.join(' ')}" -- "$cur")) ;;\n`

function zshFlag({ text, description, values, isOpen }: CompletableFlag): string {
  const about = `[${description.replaceAll(/[[\]:\\]/g, '\\$&')}]`
  if (values.length === 0) return quote(isOpen ? `${text}=${about}:value:_files` : `${text}${about}`)
  const action = isOpen ? `_ma-bundle_or_file ${values.join(' ')}` : `(${values.join(' ')})`
  return quote(`${text}=${about}:value:${action}`)
}

function fishFlag(command: string, { text, description, values, isOpen }: CompletableFlag): string {
  const long = `complete -c ma-bundle -n '__fish_seen_subcommand_from ${command}' -l ${text.slice(2)} -d ${quote(description)}`
  const words = values.length === 0 ? '' : ` -a ${quote(values.join(' '))}`
  if (isOpen) return `${long} -r${words}\n`
  return words === '' ? `${long}\n` : `${long} -x${words}\n`
}

const fishWords = (command: string, words: readonly string[]): readonly string[] =>
  words.length === 0
    ? []
    : [`complete -c ma-bundle -f -n '__fish_seen_subcommand_from ${command}' -a ${quote(words.join(' '))}\n`]
