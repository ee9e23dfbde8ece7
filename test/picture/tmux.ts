import { setTimeout as pause } from 'node:timers/promises'
import { runProgram } from '../support/program.ts'
import type { Frame } from './svg.ts'

export interface TmuxOptions {
  readonly columns: number
  readonly rows: number
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** A bash in a real terminal that nobody sees, and a recording of what it shows. */
export interface Tmux {
  /** Types a command, waits until it has ended, and leaves its result in sight for a while. */
  run(command: string): Promise<void>
  clear(): Promise<void>
  frames(): readonly Frame[]
  close(): Promise<void>
}

/** @throws when there is no tmux: apt-get install tmux */
export async function openTmux({ columns, rows, cwd, env }: TmuxOptions): Promise<Tmux> {
  const socket = `picture-${process.pid}`
  const tmux = async (...args: readonly string[]): Promise<string> =>
    (await runProgram('tmux', ['-f', '/dev/null', '-L', socket, ...args])).stdout.toString()
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const shell = ['env', '-i', 'TERM=tmux-256color', ...variables, 'bash', '--norc', '--noprofile']
  await tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), '-c', cwd, ...shell)
  await tmux('set', '-g', 'status', 'off')
  await tmux('resize-window', '-x', String(columns), '-y', String(rows))

  const seen: { readonly screen: string; readonly at: number }[] = []
  let recording = true
  const record = (async () => {
    while (recording) {
      const screen = (await tmux('capture-pane', '-e', '-p')).trimEnd()
      if (screen !== seen.at(-1)?.screen) seen.push({ screen, at: performance.now() })
      await pause(FRAME_MS)
    }
  })()
  const prompt = async (): Promise<boolean> =>
    (await tmux('capture-pane', '-p')).trimEnd().split('\n').at(-1) === '$'
  const ready = async (): Promise<void> => {
    for (let waited = 0; !(await prompt()); waited += FRAME_MS) {
      if (waited > 60_000) throw new Error(`no prompt came back:\n${await tmux('capture-pane', '-p')}`)
      await pause(FRAME_MS)
    }
  }
  await ready()
  return {
    async run(command) {
      for (const letter of command) {
        await tmux('send-keys', '-l', letter)
        await pause(TYPING_MS)
      }
      await tmux('send-keys', 'Enter')
      await pause(4 * FRAME_MS)
      await ready()
      await pause(READING_MS)
    },
    async clear() {
      await tmux('send-keys', 'C-l')
      await pause(4 * FRAME_MS)
    },
    frames: () =>
      seen.map(({ screen, at }, index) => ({
        screen,
        ms: (seen[index + 1]?.at ?? at + READING_MS) - at,
      })),
    async close() {
      recording = false
      await record
      await tmux('kill-server')
    },
  }
}

// --- internal ---

const FRAME_MS = 120
const TYPING_MS = 25
const READING_MS = 5000
