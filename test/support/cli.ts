import { join } from 'node:path'
import { checkJsonLines } from './schema.ts'

export interface CliOutcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
  /** A module that runs before the program. */
  readonly preload?: string
  /** Files and sockets that it may have open: `ulimit -n`. */
  readonly files?: number
}

/**
 * Runs the program as people do, in a process of its own. Nothing of the caller's environment reaches it but PATH, so
 * that neither proxies nor credentials of this machine change what a test sees.
 */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliOutcome> {
  const child = startCli(args, options)
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  if (args.includes('--json')) checkJsonLines(`${stdout}\n${stderr}`)
  return { code: await child.exited, stdout, stderr }
}

export function startCli(args: readonly string[], { cwd, env = {}, stdin = '', preload, files }: CliOptions) {
  const before = preload === undefined ? [] : ['--preload', preload]
  const limited = files === undefined ? [] : ['bash', '-c', `ulimit -n ${files}; exec "$@"`, 'bash']
  return Bun.spawn(
    [
      ...limited,
      process.execPath,
      ...before,
      join(import.meta.dirname, '..', '..', 'src', 'cli.ts'),
      ...args,
    ],
    {
      cwd,
      env: { PATH: process.env.PATH ?? '', HOME: cwd, DOCKER_CONFIG: cwd, XDG_STATE_HOME: cwd, ...env },
      stdin: new TextEncoder().encode(stdin),
      stdout: 'pipe',
      stderr: 'pipe',
    },
  )
}
