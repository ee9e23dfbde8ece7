import type { ArgsDef } from './args/flags.ts'

/** A line of the help: a command as typed, and what it does. */
export interface Example {
  readonly command: string
  readonly description: string
}

/** What a command is, apart from what it does. */
export interface CommandSpec<A extends ArgsDef = ArgsDef> {
  readonly name: string
  /** A few sentences at the top of the help. */
  readonly description: string
  readonly examples: readonly Example[]
  readonly args: A
}

/** All commands: what a config file may speak of, and a shell complete. */
export interface CommandCatalog {
  readonly commands: readonly string[]
  /** Loads every command. */
  specs(): Promise<readonly CommandSpec[]>
}
