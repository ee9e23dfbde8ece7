import { usageError } from '../lib/errors.ts'
import { didYouMean } from '../lib/suggest.ts'
import type { CommandSpec } from './command-spec.ts'
import { defineBundleCommand } from './command.ts'
import { flagText, isFlag, type Flag } from './flags.ts'

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
  args: { shell: { type: 'positional', description: 'The shell: bash, zsh or fish' } },
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
  /** Empty for a boolean, undefined for anything that may be a file name. */
  readonly values: readonly string[] | undefined
}

interface Completable {
  readonly name: string
  readonly description: string
  readonly flags: readonly CompletableFlag[]
}

const completable = ({ name, description, args }: CommandSpec): Completable => ({
  name,
  // Shells show one line.
  description: /^.*?[.:](?= |$)/s.exec(description)?.[0].slice(0, -1) ?? description,
  flags: Object.entries(args).flatMap(([arg, def]) =>
    isFlag(def) ? [{ text: flagText(arg, def), description: def.description, values: valuesOf(def) }] : [],
  ),
})

function valuesOf(def: Flag): readonly string[] | undefined {
  if (def.type === 'boolean') return []
  return def.type === 'enum' ? def.options : undefined
}

const shells: Readonly<Record<string, (commands: readonly Completable[]) => string>> = {
  bash: (commands) => `# bash completion for ma-bundle
_ma_bundle() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} cmd=\${COMP_WORDS[1]}
  COMPREPLY=()
  # bash makes a word of its own of the = in --flag=value.
  if [ "$cur" = "=" ]; then cur=; elif [ "$prev" = "=" ]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(' ')} help --help --version" -- "$cur"))
    return
  fi
  case "$cmd $prev" in
${commands.flatMap(({ name, flags }) => flags.map((flag) => bashValues(name, flag))).join('')}  esac
  case "$cur" in
    -*)
      case "$cmd" in
${commands.map(({ name, flags }) => `        ${name}) COMPREPLY=($(compgen -W "${flags.map(({ text }) => text).join(' ')} --help" -- "$cur")) ;;\n`).join('')}      esac
      ;;
    *) COMPREPLY=($(compgen -f -- "$cur")) ;;
  esac
}
complete -o filenames -F _ma_bundle ma-bundle
`,
  zsh: (commands) => `#compdef ma-bundle
_ma-bundle() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${commands.map(({ name, description }) => `      ${quote(`${name}:${description}`)}\n`).join('')}    )
    _describe command commands
    return
  fi
  local cmd=$words[2]
  shift words
  (( CURRENT -= 1 ))
  case $cmd in
${commands.map(({ name, flags }) => `    ${name})\n      _arguments -s ${[...flags.map(zshFlag), quote('*:file:_files')].join(' \\\n        ')}\n      ;;\n`).join('')}  esac
}
if [ "$funcstack[1]" = "_ma-bundle" ]; then _ma-bundle "$@"; else compdef _ma-bundle ma-bundle; fi
`,
  fish: (commands) => `# fish completion for ma-bundle
${commands.map(({ name, description }) => `complete -c ma-bundle -f -n __fish_use_subcommand -a ${name} -d ${quote(description)}\n`).join('')}${commands.flatMap(({ name, flags }) => flags.map((flag) => fishFlag(name, flag))).join('')}`,
}

const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

function bashValues(command: string, { text, values }: CompletableFlag): string {
  if (values === undefined)
    return `    "${command} ${text}") COMPREPLY=($(compgen -f -- "$cur")); return ;;\n`
  if (values.length === 0) return ''
  return `    "${command} ${text}") COMPREPLY=($(compgen -W "${values.join(' ')}" -- "$cur")); return ;;\n`
}

function zshFlag({ text, description, values }: CompletableFlag): string {
  const about = `[${description.replaceAll(/[[\]:\\]/g, '\\$&')}]`
  if (values === undefined) return quote(`${text}=${about}:value:_files`)
  return quote(values.length === 0 ? `${text}${about}` : `${text}=${about}:value:(${values.join(' ')})`)
}

function fishFlag(command: string, { text, description, values }: CompletableFlag): string {
  const long = `complete -c ma-bundle -n '__fish_seen_subcommand_from ${command}' -l ${text.slice(2)} -d ${quote(description)}`
  if (values === undefined) return `${long} -r\n`
  return values.length === 0 ? `${long}\n` : `${long} -x -a ${quote(values.join(' '))}\n`
}
