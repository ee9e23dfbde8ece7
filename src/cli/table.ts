import type { CommandCatalog } from './command-spec.ts'
import type { BundleCommand } from './command.ts'

/** The groups of the help, in their order. */
export const commandGroups = {
  make: 'Make a bundle',
  carry: 'Carry it over',
  look: 'Look inside',
  prove: 'Prove that it works',
  operate: 'Operate a site',
} as const

export interface CommandRow {
  readonly group: keyof typeof commandGroups
  /** One line, for the list of commands. */
  readonly description: string
  readonly load: () => Promise<BundleCommand>
}

export type CommandTable = Readonly<Record<string, CommandRow>>

export const catalogOf = (table: CommandTable): CommandCatalog => ({
  commands: Object.keys(table),
  specs: async () => Promise.all(Object.values(table).map(async ({ load }) => (await load()).spec)),
})
