import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { BundleError } from '../../../lib/errors.ts'
import { createOnce } from '../../../lib/once.ts'
import { createPool, type Pool } from '../../../lib/pool.ts'
import type { RenderedDocument } from './documents.ts'
import { runHelm } from './helm-run.ts'
import { createOutputs } from './outputs.ts'
import { writeRelaxed, writeWithoutDefinitions } from './relaxed.ts'
import { refersElsewhere } from '../chart/schema-references.ts'
import type { Values } from '../tree.ts'

/** A real helm, version 3 or 4. */
export interface Helm {
  /** `v3.17.3` */
  readonly version: string
  /** Puts a packaged chart where helm can read it, for many renders. Close it when done. */
  open(tgz: Uint8Array): Promise<HelmRenderer>
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

export interface HelmRenderer {
  /** `helm template` without a cluster; the same options are rendered once. */
  template(options: RenderOptions): Promise<Rendered>
  /** How often helm was started. */
  readonly renders: number
  /** A limit stopped helm: another run, with less else to do, may see more. */
  readonly wasStopped: boolean
  close(): Promise<void>
}

/**
 * Takes the helm at `binary` into use. It runs with an environment of its own: no plugins, no repositories, no
 * kubeconfig, no network.
 * @throws BundleError `usage` when it is no helm 3 or 4
 */
export async function createHelm(binary: string): Promise<Helm> {
  const { stdout, failure } = await runHelm(binary, ['version', '--template', '{{.Version}}'], tmpdir())
  const version = stdout.trim()
  if (failure !== undefined || !/^v[34]\./.test(version)) {
    throw new BundleError(`${binary} is not helm 3 or helm 4: ${(failure ?? version).slice(0, 300)}`, {
      kind: 'usage',
      next: 'install helm 3.16 or later, or give its path',
    })
  }
  // Of all charts together: helm is what takes the cores.
  const pool = createPool(Math.max(2, availableParallelism()))
  return { version, open: (tgz) => open(binary, tgz, pool) }
}

// --- internal ---

async function open(binary: string, tgz: Uint8Array, pool: Pool): Promise<HelmRenderer> {
  const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-helm-'))
  const chart = join(folder, 'chart.tgz')
  await mkdir(join(folder, 'home'))
  await writeFile(chart, tgz, { mode: 0o600 })
  const known = new Map<string, Promise<Rendered>>()
  const keep = createOutputs()
  // Helm would fetch what a schema refers to, from anywhere.
  const always = refersElsewhere(tgz) ? ['--skip-schema-validation'] : []
  let renders = 0
  let exhausted: string | undefined

  const copies = createOnce<string>()
  const relaxed = (): Promise<string> =>
    copies('relaxed', async () => {
      await writeRelaxed(tgz, join(folder, 'relaxed'))
      return join(folder, 'relaxed')
    })
  const strict = (): Promise<string> =>
    copies('strict', async () =>
      (await writeWithoutDefinitions(tgz, join(folder, 'strict'))) ? join(folder, 'strict') : chart,
    )

  const render = async (options: RenderOptions): Promise<Rendered> => {
    // A chart that renders without end does so with any values.
    if (exhausted !== undefined) return { ok: false, message: exhausted }
    renders += 1
    const number = renders
    const {
      values = [],
      release = 'release',
      namespace = 'namespace',
      kubeVersion,
      apiVersions = [],
    } = options
    const path = options.relaxed === true ? await relaxed() : await strict()
    const args = ['template', release, path, '--namespace', namespace, ...always]
    for (const [at, layer] of values.entries()) {
      const file = join(folder, `values-${number}-${at}.yaml`)
      await writeFile(file, JSON.stringify(layer), { mode: 0o600 })
      args.push('--values', file)
    }
    if (kubeVersion !== undefined) args.push('--kube-version', kubeVersion)
    for (const version of apiVersions) args.push('--api-versions', version)
    let result = await runHelm(binary, args, join(folder, 'home'))
    // A schema that helm itself cannot read says nothing about the values.
    if (
      result.failure !== undefined &&
      /metaschema|jsonschema compilation|unable to validate schema/i.test(result.failure)
    )
      result = await runHelm(binary, [...args, '--skip-schema-validation'], join(folder, 'home'))
    if (result.exhausted === true) exhausted = result.failure
    if (result.failure !== undefined)
      return { ok: false, message: result.failure.replaceAll(folder, '').trim() }
    return keep(result.stdout)
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
    get wasStopped() {
      return exhausted !== undefined
    },
    close: () => rm(folder, { recursive: true, force: true }),
  }
}
