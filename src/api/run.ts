import { Readable, Writable } from 'node:stream'
import { readAwsConfig, type AwsConfig } from '../aws/config/config.ts'
import type { MediumOptions } from '../bundle/media/medium.ts'
import { redacted, type BundleEvent } from '../bundle/run/events.ts'
import { createOnce } from '../lib/once.ts'
import { speaking } from './error.ts'

/** What every call takes. */
export interface RunOptions {
  /** Receives every step: phases, transfers with their progress in bytes, warnings, retries. Must not throw. */
  readonly onEvent?: (event: BundleEvent) => void
  /** Stops the work. What is done is not done twice when you call again. */
  readonly signal?: AbortSignal
  /**
   * Where proxies (`HTTPS_PROXY`), credentials of AWS and docker (`AWS_PROFILE`, `DOCKER_CONFIG`) and helm (`PATH`) are
   * looked up; `process.env` by default.
   */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** What work gets of the world around a library: no terminal, and no standard streams. */
export function surroundingsOf({
  onEvent,
  signal = new AbortController().signal,
  env = process.env,
}: RunOptions): MediumOptions {
  const configs = createOnce<AwsConfig>()
  return {
    env,
    aws: (side) => configs(side, async () => readAwsConfig(env, {})),
    signal,
    emit: (event) => onEvent?.(redacted(event)),
    stdin: Readable.from([]),
    stdout: new Writable({ write: (_chunk, _encoding, done) => done() }),
  }
}

/** Runs one call. Whatever it throws is thrown as a `MaBundleError`. */
export function called<Result>(
  options: RunOptions,
  work: (around: MediumOptions) => Promise<Result>,
): Promise<Result> {
  const around = surroundingsOf(options)
  return speaking(around.signal, () => {
    around.signal.throwIfAborted()
    return work(around)
  })
}
