import { join } from 'node:path'
import { EXAMPLE_KEY } from '../support/ecr/signature.ts'
import { say } from './tell.ts'

export interface CommandOptions {
  readonly folder: string
  /** A folder with helm, for the PATH. */
  readonly programs: string | undefined
  readonly signal: AbortSignal
}

/**
 * Shows and runs `ma-bundle …` in the folder, with nothing of the caller's settings but the terminal's.
 * @returns milliseconds
 * @throws when it does not end with exit code 0
 */
export async function runCommand(
  args: readonly string[],
  { folder, programs, signal }: CommandOptions,
): Promise<number> {
  signal.throwIfAborted()
  say(`$ ${wrapped(['ma-bundle', ...args])}`)
  const started = performance.now()
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dirname, '..', '..', 'src', 'cli.ts'), ...args],
    {
      cwd: folder,
      env: {
        ...terminal(),
        PATH: [programs, process.env.PATH].filter((part) => part !== undefined).join(':'),
        DOCKER_CONFIG: folder,
        XDG_STATE_HOME: folder,
        AWS_REGION: 'eu-central-1',
        AWS_ACCESS_KEY_ID: EXAMPLE_KEY.accessKeyId,
        AWS_SECRET_ACCESS_KEY: EXAMPLE_KEY.secretAccessKey,
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  )
  const code = await child.exited
  if (signal.aborted) throw new Error('stopped')
  if (code !== 0) throw new Error(`ma-bundle ${args[0]} ended with exit code ${code}`)
  return performance.now() - started
}

// --- internal ---

/** Proxies, credentials and MA_BUNDLE_… variables of the machine stay out. */
function terminal(): Record<string, string> {
  const names = ['HOME', 'TERM', 'COLORTERM', 'NO_COLOR', 'LANG', 'LC_ALL', 'CI', 'COLUMNS']
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

/** A command over lines that fit into 80 columns, to be copied as it is. */
function wrapped(words: readonly string[]): string {
  const lines = ['']
  for (const [at, word] of words.entries()) {
    const value = words[at + 1]
    const needed = word.length + (word.startsWith('--') && value !== undefined ? value.length + 1 : 0)
    const line = lines.at(-1) ?? ''
    if (line !== '' && line.length + needed > 74 && !(words[at - 1] ?? '').startsWith('--'))
      lines.push(`    ${word}`)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join(' \\\n')
}
