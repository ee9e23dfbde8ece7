import { spawn } from 'node:child_process'

export interface ProgramOutcome {
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

/**
 * Runs a program of this machine. Not synchronously: the servers it talks to may live in this process.
 * @throws when it is missing, saying that, and when it fails, with its own words
 */
export function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<ProgramOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    const chunks: Buffer[] = []
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.on('error', (error) => {
      reject(
        new Error(`${program} does not start (npm run setup installs what tests need): ${error.message}`),
      )
    })
    child.on('close', (code) => {
      const outcome = { code, stdout: Buffer.concat(chunks), stderr }
      if (code === 0) resolve(outcome)
      else reject(new Error(`${program} ${args.join(' ')} ended with ${code}: ${stderr}`))
    })
  })
}
