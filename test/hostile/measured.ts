import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
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
  // Bun leaves files in its home.
  const home = mkdtempSync(join(tmpdir(), 'ma-bundle-home-'))
  const file = join(home, 'peak')
  const program = join(import.meta.dirname, 'peak-program.ts')
  const cli = join(import.meta.dirname, '..', '..', 'src', 'cli.ts')
  const child = Bun.spawn([process.execPath, program, file, process.execPath, cli, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? '', HOME: home, DOCKER_CONFIG: home, XDG_STATE_HOME: home, ...env },
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
  rmSync(home, { recursive: true })
  return { code, stdout, stderr, peak }
}
