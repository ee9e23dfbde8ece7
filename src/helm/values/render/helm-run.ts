import { execFile } from 'node:child_process'
import { join } from 'node:path'

export interface Ran {
  readonly stdout: string
  /** Helm's own words, or why it was stopped. */
  readonly failure?: string
  /** It took all it may have of time, memory or output. */
  readonly exhausted?: true
}

/**
 * Runs a helm within bounds, as a template may loop without end: two minutes, 2 GiB of memory, 256 MiB of output. Its
 * environment is one of its own, with a proxy that is not there, because a chart of strangers has no business in any
 * network.
 */
export function runHelm(binary: string, args: readonly string[], home: string): Promise<Ran> {
  const env = {
    HOME: home,
    HELM_CACHE_HOME: home,
    HELM_CONFIG_HOME: home,
    HELM_DATA_HOME: home,
    HELM_PLUGINS: home,
    KUBECONFIG: join(home, 'none'),
    HTTP_PROXY: NOWHERE,
    HTTPS_PROXY: NOWHERE,
    NO_PROXY: '',
  }
  const options = { env, maxBuffer: OUTPUT_LIMIT, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' as const }
  return new Promise((resolve) => {
    execFile('/bin/sh', ['-c', BOUNDED, binary, ...args], options, (error, stdout, stderr) => {
      if (error === null) return resolve({ stdout })
      const why = stopped(error, stderr)
      if (why !== undefined)
        return resolve({ stdout: '', failure: `helm was stopped: ${why}`, exhausted: true })
      const said = stderr.replace(/^(?:WARNING|level=).*\n/gm, '')
      resolve({ stdout, failure: stderr.trim() === '' ? error.message : said })
    })
  })
}

// --- internal ---

const OUTPUT_LIMIT = 256 * 1024 * 1024
const TIMEOUT_MS = 120_000
const MEMORY_KIB = 2 * 1024 * 1024
/** Systems without such a limit go without it. */
const BOUNDED = `ulimit -d ${MEMORY_KIB} 2>/dev/null; exec "$0" "$@"`
/** The port of the discard protocol. */
const NOWHERE = 'http://127.0.0.1:9'

function stopped(
  error: { readonly code?: unknown; readonly killed?: boolean },
  stderr: string,
): string | undefined {
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
    return `the chart renders to more than ${OUTPUT_LIMIT / 1024 ** 2} MiB`
  if (/^(?:fatal error|runtime): .*(?:out of memory|cannot allocate memory)/m.test(stderr))
    return `it needs more than ${MEMORY_KIB / 1024 ** 2} GiB of memory to render the chart`
  return error.killed === true ? `the chart takes more than ${TIMEOUT_MS / 1000} s to render` : undefined
}
