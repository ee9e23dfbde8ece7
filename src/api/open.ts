import { basename } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
import type { RootContents } from '../bundle/format/contents.ts'
import { openBundle as openReader } from '../bundle/format/open.ts'
import { mediumAt } from '../bundle/media/at.ts'
import { checkTrust } from '../bundle/media/trust.ts'
import type { ChartProof } from '../bundle/format/charts/chart-proof.ts'
import { reportOf, type BundleReport } from '../bundle/inspect/report.ts'
import { valuesFor } from '../bundle/charts/values.ts'
import { verifyBundle, type Verified } from '../bundle/verify/verify.ts'
import { DEFAULT_CHART_PREFIX, DEFAULT_PREFIX } from '../bundle/format/destination.ts'
import { layoutOf } from '../setup/target.ts'
import { speaking } from './error.ts'
import { surroundingsOf, type RunOptions } from './run.ts'

export interface OpenOptions extends RunOptions {
  /** Public key (PEM file) that must have signed the bundle; checked before anything of it is used. */
  readonly verifyKey?: string
  /** Where the signature is, when not next to the bundle. */
  readonly signature?: string
}

/** Helm values as YAML. */
export interface ValuesTexts {
  /** For the chart that installs all others. */
  readonly umbrella: string
  /** For each chart on its own, by chart name. */
  readonly charts: Readonly<Record<string, string>>
}

export interface ValuesOptions {
  /** Where an import puts things; see `importBundle`. */
  readonly registry: string
  readonly prefix?: string
  readonly chartPrefix?: string
  readonly pinDigests?: boolean
}

/** A bundle that is open for reading. Close it, or declare it with `await using`. */
export interface OpenedBundle extends AsyncDisposable {
  /** File name, without its folder. */
  readonly file: string
  /** Of the spec; `OCI layout of another tool` for what no ma-bundle wrote. */
  readonly name: string
  readonly version?: string
  /** Bytes of the tar. */
  readonly size: number
  /** Images, charts and files. */
  readonly items: readonly RootContents[]
  /** What a real helm proved at the export; empty when there was none. */
  readonly proof: readonly ChartProof[]
  /** Everything an auditor wants to know. Reads manifests, no layers. */
  report(): Promise<BundleReport>
  /** Reads every byte and compares it with its digest. Damage is a result here, not an error. */
  verify(options?: { readonly concurrency?: number }): Promise<Verified>
  /** The Helm values override for a registry, from the bundle alone; undefined for a layout of another tool. */
  values(options: ValuesOptions): Promise<ValuesTexts | undefined>
  close(): Promise<void>
}

/**
 * Opens a bundle, or any tar that is an OCI layout. Reads its table only.
 * @param bundle a file, or another place that the command line can read
 * @throws MaBundleError of kind `usage` when it cannot be read, `integrity` when it is none, is cut off, or not signed
 */
export async function openBundle(bundle: string, options: OpenOptions = {}): Promise<OpenedBundle> {
  const session = surroundingsOf(options)
  const { signal } = session
  return speaking(signal, async () => {
    const medium = await mediumAt(bundle, session)
    const file = await medium.open()
    try {
      const opened = await openReader(file)
      await checkTrust(opened, medium, options)
      const { contents, roots } = opened
      const close = (): Promise<void> => file.close()
      return {
        file: basename(bundle),
        name: contents?.name ?? 'OCI layout of another tool',
        ...(contents?.version === undefined ? {} : { version: contents.version }),
        size: file.size,
        items: roots,
        proof: contents?.proof ?? [],
        report: () => speaking(signal, () => reportOf(opened, file.size, `ma-bundle ${manifest.version}`)),
        verify: ({ concurrency = 8 } = {}) =>
          speaking(signal, () => verifyBundle(file, { ...session, concurrency })),
        values: (where) => speaking(signal, () => textsOf(opened, where)),
        close,
        [Symbol.asyncDispose]: close,
      }
    } catch (error) {
      await file.close()
      throw error
    }
  })
}

// --- internal ---

async function textsOf(
  bundle: Awaited<ReturnType<typeof openReader>>,
  { registry, prefix, chartPrefix, pinDigests = false }: ValuesOptions,
): Promise<ValuesTexts | undefined> {
  const layout = layoutOf({
    registry,
    prefix: prefix ?? DEFAULT_PREFIX,
    chartPrefix: chartPrefix ?? DEFAULT_CHART_PREFIX,
  })
  const values = await valuesFor(bundle, layout, { pinDigests })
  return values === undefined
    ? undefined
    : { umbrella: values.umbrella, charts: Object.fromEntries(values.charts) }
}
