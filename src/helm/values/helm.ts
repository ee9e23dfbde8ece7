import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { BundleError } from '../../lib/errors.ts'
import { createOnce } from '../../lib/once.ts'
import { createPool } from '../../lib/pool.ts'
import { createDocuments, type RenderedDocument } from './documents.ts'
import { writeRelaxed } from './relaxed.ts'
import type { Values } from './tree.ts'

/** A real helm, version 3 or 4. */
export interface Helm {
  /** `v3.17.3` */
  readonly version: string
  /** Puts a packaged chart where helm can read it, for many renders. Close it when done. */
  open(tgz: Uint8Array): Promise<Renderer>
}

export interface RenderOptions {
  /** Layers of values, the last of which wins. */
  readonly values?: readonly Values[]
  readonly kubeVersion?: string
  readonly apiVersions?: readonly string[]
  readonly release?: string
  readonly namespace?: string
  /** Without the chart's own checks: see `writeRelaxed`. */
  readonly relaxed?: boolean
}

export type Rendered =
  | { readonly ok: true; readonly documents: readonly RenderedDocument[] }
  /** Helm's own words. */
  | { readonly ok: false; readonly message: string }

export interface Renderer {
  /** `helm template` without a cluster; the same options are rendered once. */
  template(options: RenderOptions): Promise<Rendered>
  /** How often helm was started. */
  readonly renders: number
  close(): Promise<void>
}

/**
 * Takes the helm at `binary` into use. It runs with an environment of its own: no plugins, no repositories, no
 * kubeconfig, no network.
 * @throws BundleError `usage` when it is no helm 3 or 4
 */
export async function createHelm(binary: string): Promise<Helm> {
  const { stdout, failure } = await run(binary, ['version', '--template', '{{.Version}}'], tmpdir())
  const version = stdout.trim()
  if (failure !== undefined || !/^v[34]\./.test(version)) {
    throw new BundleError(`${binary} is not helm 3 or helm 4: ${(failure ?? version).slice(0, 300)}`, {
      kind: 'usage',
      next: 'install helm 3.16 or later, or give its path',
    })
  }
  return { version, open: (tgz) => open(binary, tgz) }
}

// --- internal ---

const OUTPUT_LIMIT = 256 * 1024 * 1024
const TIMEOUT_MS = 120_000

async function open(binary: string, tgz: Uint8Array): Promise<Renderer> {
  const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-helm-'))
  const chart = join(folder, 'chart.tgz')
  await mkdir(join(folder, 'home'))
  await writeFile(chart, tgz, { mode: 0o600 })
  const pool = createPool(Math.min(4, availableParallelism()))
  const known = new Map<string, Promise<Rendered>>()
  const documents = createDocuments()
  let renders = 0

  const relaxedOnce = createOnce<string>()
  const relaxed = (): Promise<string> =>
    relaxedOnce('', async () => {
      await writeRelaxed(tgz, join(folder, 'relaxed'))
      return join(folder, 'relaxed')
    })

  const render = async (options: RenderOptions): Promise<Rendered> => {
    renders += 1
    const number = renders
    const {
      values = [],
      release = 'release',
      namespace = 'namespace',
      kubeVersion,
      apiVersions = [],
    } = options
    const path = options.relaxed === true ? await relaxed() : chart
    const args = ['template', release, path, '--namespace', namespace]
    for (const [at, layer] of values.entries()) {
      const file = join(folder, `values-${number}-${at}.yaml`)
      await writeFile(file, JSON.stringify(layer), { mode: 0o600 })
      args.push('--values', file)
    }
    if (kubeVersion !== undefined) args.push('--kube-version', kubeVersion)
    for (const version of apiVersions) args.push('--api-versions', version)
    let result = await run(binary, args, join(folder, 'home'))
    // A schema that helm itself cannot read says nothing about the values.
    if (
      result.failure !== undefined &&
      /metaschema|jsonschema compilation|unable to validate schema/i.test(result.failure)
    )
      result = await run(binary, [...args, '--skip-schema-validation'], join(folder, 'home'))
    if (result.failure !== undefined)
      return { ok: false, message: result.failure.replaceAll(folder, '').trim() }
    let read: readonly RenderedDocument[] | undefined
    return {
      ok: true,
      // Whether a chart renders at all is often all that is asked.
      get documents() {
        read ??= documents(result.stdout)
        return read
      },
    }
  }

  return {
    template(options) {
      const key = JSON.stringify(options)
      const before = known.get(key)
      if (before !== undefined) return before
      const rendered = pool.run(() => render(options))
      known.set(key, rendered)
      return rendered
    },
    get renders() {
      return renders
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}

interface Ran {
  readonly stdout: string
  readonly failure?: string
}

function run(binary: string, args: readonly string[], home: string): Promise<Ran> {
  const env = {
    HOME: home,
    HELM_CACHE_HOME: home,
    HELM_CONFIG_HOME: home,
    HELM_DATA_HOME: home,
    HELM_PLUGINS: home,
    KUBECONFIG: join(home, 'none'),
  }
  return new Promise((resolve) => {
    execFile(binary, args, { env, maxBuffer: OUTPUT_LIMIT, timeout: TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout })
      else
        resolve({
          stdout,
          failure: stderr.trim() === '' ? error.message : stderr.replace(/^(?:WARNING|level=).*\n/gm, ''),
        })
    })
  })
}
