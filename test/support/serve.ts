import { startCli } from './cli.ts'

/** `ma-bundle serve` in a process of its own, on a free port. */
export interface Served {
  readonly url: string
  /** `127.0.0.1:port` */
  readonly host: string
  readonly repositories: readonly string[]
  /** Presses Ctrl-C: the exit code, and everything it said, as JSON lines. */
  stop(): Promise<{ readonly code: number; readonly stdout: string }>
}

export async function startServe(
  bundle: string,
  cwd: string,
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const child = startCli(['serve', bundle, '--json', '--listen', '127.0.0.1:0', ...flags], { cwd, env })
  const stderr = new Response(child.stderr).text()
  const listening = Promise.withResolvers<string>()
  let text = ''
  const read = async (): Promise<void> => {
    const chunks: AsyncIterable<Uint8Array> = child.stdout
    for await (const chunk of chunks) {
      text += new TextDecoder().decode(chunk)
      const line = text
        .split('\n')
        .slice(0, -1)
        .find((one) => one.includes('"type":"result"'))
      if (line !== undefined) listening.resolve(line)
    }
    listening.reject(new Error(`serve does not start: ${text}${await stderr}`))
  }
  const reading = read()
  const { result } = JSON.parse(await listening.promise) as {
    result: { url: string; repositories: readonly string[] }
  }
  return {
    ...result,
    host: new URL(result.url).host,
    async stop() {
      child.kill('SIGINT')
      const code = await child.exited
      await reading
      return { code, stdout: text }
    },
  }
}
