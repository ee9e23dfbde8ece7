import { startCli } from '../support/cli.ts'

export type Child = ReturnType<typeof startCli>
export type Timer = ReturnType<typeof setTimeout>

/** What a run came to. */
export interface Ended {
  readonly code: number
  readonly stderr: string
}

export interface Circumstances {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly preload?: string
  readonly clock?: string
  readonly files?: number
}

/** Runs the program as a process, with things that happen `meanwhile`. */
export async function spawned(
  args: readonly string[],
  { cwd, env = {}, preload, clock = '', files }: Circumstances,
  meanwhile: (child: Child) => Timer[] = () => [],
): Promise<Ended> {
  const child = startCli(args, {
    cwd,
    env: { ...env, FAULTS_CLOCK: clock },
    ...(preload === undefined ? {} : { preload }),
    ...(files === undefined ? {} : { files }),
  })
  const timers = meanwhile(child)
  const [stderr] = await Promise.all([new Response(child.stderr).text(), new Response(child.stdout).text()])
  const code = await child.exited
  for (const timer of timers) clearTimeout(timer)
  return { code, stderr }
}
