import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export interface Measured {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** MiB that the program had in memory at most. */
  readonly peak: number
}

/** Runs the program in a process of its own, and says what it needed at most. */
export async function measured(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Measured> {
  const file = join(cwd, `peak-${crypto.randomUUID()}`)
  const program = join(import.meta.dirname, 'peak-program.ts')
  const cli = join(import.meta.dirname, '..', '..', 'src', 'cli.ts')
  const child = Bun.spawn([process.execPath, program, file, process.execPath, cli, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? '', HOME: cwd, DOCKER_CONFIG: cwd, XDG_STATE_HOME: cwd, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  const code = await child.exited
  const peak = Number(readFileSync(file, 'utf8')) / 1024 ** 2
  rmSync(file)
  return { code, stdout, stderr, peak }
}
