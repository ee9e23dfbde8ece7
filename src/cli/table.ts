import type { CommandCatalog } from './command-spec.ts'
import type { BundleCommand } from './command.ts'

export interface CommandRow {
  /** One line, for the list of commands. */
  readonly description: string
  readonly load: () => Promise<BundleCommand>
}

export type CommandTable = Readonly<Record<string, CommandRow>>

export const catalogOf = (table: CommandTable): CommandCatalog => ({
  commands: Object.keys(table),
  specs: async () => Promise.all(Object.values(table).map(async ({ load }) => (await load()).spec)),
})
