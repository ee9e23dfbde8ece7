import { Readable, Writable } from 'node:stream'

import type { Context, OutputStream } from '../../src/cli/context.ts'
import { main } from '../../src/cli/main.ts'
import type { CommandTable } from '../../src/cli/table.ts'
import { commands as ownCommands } from '../../src/commands/table.ts'
import { checkJsonLines } from './schema.ts'

/** What a command line came to. */
export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Lines of stdout as JSON, for runs with `--json`. */
  readonly json: readonly Record<string, unknown>[]
}

export interface ShellOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string | Uint8Array
  /** The program's own commands when absent. */
  readonly commands?: CommandTable
  readonly signal?: AbortSignal
  /** Both outputs are a terminal of this size. */
  readonly terminal?: { readonly columns: number; readonly rows: number }
}

/** Runs the program in this process with its streams in memory. What it writes under `--json` has to be described. */
export async function runShell(argv: readonly string[], options: ShellOptions = {}): Promise<Outcome> {
  const { env = {}, stdin = '', commands, signal = new AbortController().signal, terminal } = options
  const stdout = createOutput(terminal)
  const stderr = createOutput(terminal)
  const context: Context = { env, stdin: Readable.from([stdin]), stdout, stderr, signal }
  const program = {
    version: '1.2.3',
    description: 'A program under test',
    commands: commands ?? ownCommands,
  }
  const code = await main(argv, context, program)
  const text = stdout.text()
  if (commands === undefined && argv.includes('--json')) checkJsonLines(`${text}\n${stderr.text()}`)
  return {
    code,
    stdout: text,
    stderr: stderr.text(),
    get json() {
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    },
  }
}

export interface MemoryOutput extends OutputStream {
  text(): string
}

/** A stream that remembers what was written, and may claim to be a terminal. */
export function createOutput(terminal?: { readonly columns: number; readonly rows: number }): MemoryOutput {
  let text = ''
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _, done) {
      text += String(chunk)
      done()
    },
  })
  return Object.assign(
    stream,
    { text: () => text },
    terminal === undefined ? {} : { isTTY: true, ...terminal },
  )
}
