import { exitMeanings } from '../../bundle/run/exit.ts'
import { commandGroups, type CommandTable } from '../table.ts'
import { row, section, wrap } from './layout.ts'

/** The help of the program: its commands in groups, and its exit codes. Readable at 80 columns. */
export function rootHelp(about: string, commands: CommandTable, columns = 80): string {
  const width = Math.min(columns, 100)
  const rows = Object.entries(commands)
  return `${[
    wrap(about, width, ''),
    section('Usage', ['  ma-bundle <command> [options]']),
    section(
      'Start here',
      START.map(([command, what]) => row(command, what, width, 48)),
    ),
    ...Object.entries(commandGroups).map(([group, title]) =>
      section(
        title,
        rows
          .filter(([, command]) => command.group === group)
          .map(([name, { description }]) => row(name, description, width, 14)),
      ),
    ),
    section(
      'Exit codes',
      exitMeanings.map(([code, meaning]) => row(String(code), meaning, width, 6)),
    ),
    'ma-bundle <command> --help shows a command, --help all every flag of it.',
  ]
    .filter((text) => text !== '')
    .join('\n\n')}\n`
}

// --- internal ---

const START: readonly (readonly [command: string, what: string])[] = [
  ['ma-bundle plan', 'what it would be'],
  ['ma-bundle export bundle.tar', 'where there is internet'],
  ['ma-bundle import bundle.tar --registry <host>', 'where there is none'],
]
