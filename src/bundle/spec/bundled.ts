import { readFile, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import spec264 from '../../../manifests/migration-assistant-2.6.4.yaml' with { type: 'text' }
import spec336 from '../../../manifests/migration-assistant-3.3.6.yaml' with { type: 'text' }
import { BundleError, codeOf, usageError } from '../../lib/errors.ts'
import { formatBytes } from '../../lib/format.ts'
import { shownPath } from '../../lib/shown-path.ts'
import { didYouMean } from '../../lib/text/suggest.ts'
import { sameVersion } from '../../helm/version.ts'
import {
  parseSpec,
  type BundleSpec,
  type Consumer,
  type SpecBinding,
  type SpecChart,
  type SpecHint,
} from './spec.ts'

export interface BundledSpec {
  /** What `--spec` takes: `migration-assistant-3.3.6`. */
  readonly name: string
  /** Where it lies in the repository. */
  readonly fileName: string
  readonly text: string
}

/** A spec with its own text, which the bundle carries. */
export interface LoadedSpec {
  readonly spec: BundleSpec
  readonly text: string
  /** How errors and people call it. */
  readonly fileName: string
}

const FAMILY = 'migration-assistant'

/** The specs that come with this program, the newest first. Imported as text, so that a compiled binary holds them. */
export const bundledSpecs: readonly BundledSpec[] = [bundled('3.3.6', spec336), bundled('2.6.4', spec264)]

/**
 * Loads a spec by path or by bundled name. `migration-assistant` is its newest bundled version; so is nothing at all.
 * @throws a usage error for a name that is neither, with the names there are; SpecError for a file that is no spec
 */
export async function loadSpec(pathOrName?: string): Promise<LoadedSpec> {
  const { fileName, text } = bundledSpec(pathOrName) ?? (await read(pathOrName ?? ''))
  const folder = pathOrName === undefined ? undefined : dirname(resolve(pathOrName))
  return { spec: parseSpec(text, fileName, folder), text, fileName }
}

/** The spec of a bundled name; of none, the newest. */
export const bundledSpec = (name?: string): BundledSpec | undefined =>
  name === undefined || name === FAMILY ? bundledSpecs[0] : bundledSpecs.find((one) => one.name === name)

/** What is known of a chart version. */
export interface KnownChart {
  readonly key: string
  readonly bindings: readonly SpecBinding[]
  readonly hints: readonly SpecHint[]
}

/** What the bundled specs know of a chart version, for lists that carry no bindings of their own. */
export function knownChart(chart: string, version: string): KnownChart | undefined {
  for (const spec of bundledSpecs.map(parseOnce)) {
    const listed = chartsOf(spec).find((entry) => entry.name === chart && sameVersion(entry.version, version))
    const bindings = spec.bindings.get(chart)
    if (listed === undefined || bindings === undefined) continue
    return { key: listed.key, bindings, hints: spec.hints.get(chart) ?? [] }
  }
  return undefined
}

/** The consumer chart of the bundled spec that shares most charts with a list that names none. */
export function knownConsumer(charts: readonly SpecChart[]): Consumer | undefined {
  // Reading the bundled specs costs 100 ms and 20 MiB: a list of images alone need not wait for that.
  if (charts.length === 0) return undefined
  const shared = (spec: BundleSpec): number =>
    charts.filter((chart) =>
      chartsOf(spec).some((entry) => entry.name === chart.name && sameVersion(entry.version, chart.version)),
    ).length
  const [best] = bundledSpecs.map(parseOnce).toSorted((a, b) => shared(b) - shared(a))
  return best !== undefined && shared(best) * 2 > charts.length ? best.consumer : undefined
}

/** Why a spec cannot be read, and what there is instead. */
export function missingSpec(path: string, cause: unknown): BundleError {
  const code = codeOf(cause)
  if (code === 'EISDIR')
    return usageError(`the spec "${shownPath(path)}" is a folder`, { cause, next: 'name a file in it' })
  if (code !== 'ENOENT' && code !== 'ENOTDIR') {
    return usageError(`the spec "${shownPath(path)}" cannot be read (${code ?? 'unknown error'})`, { cause })
  }
  const names = bundledNames()
  const hint = didYouMean(path, names)
  const what = looksLikePath(path) ? 'file' : 'file or bundled spec'
  return usageError(`there is no ${what} "${shownPath(path)}"${hint === undefined ? '' : `; ${hint}`}`, {
    cause,
    next: `give the path of a spec, or one of ${names.join(', ')}`,
  })
}

/** What `--spec` may be beside a file. */
export const bundledNames = (): readonly string[] => [FAMILY, ...bundledSpecs.map(({ name }) => name)]

// --- internal ---

/** A spec of many thousand images; a bundle given by mistake has many GB. */
const MAX_BYTES = 16 * 1024 * 1024

function bundled(version: string, text: string): BundledSpec {
  const name = `${FAMILY}-${version}`
  return { name, fileName: `manifests/${name}.yaml`, text }
}

const parsed = new Map<string, BundleSpec>()

function parseOnce({ name, fileName, text }: BundledSpec): BundleSpec {
  const spec = parsed.get(name) ?? parseSpec(text, fileName)
  parsed.set(name, spec)
  return spec
}

const chartsOf = (spec: BundleSpec): readonly SpecChart[] => spec.groups.flatMap((group) => group.charts)

const looksLikePath = (text: string): boolean => /[\\/]|\.(?:ya?ml|json)$/i.test(text)

async function read(path: string): Promise<{ readonly fileName: string; readonly text: string }> {
  try {
    const { size } = await stat(path)
    if (size > MAX_BYTES) {
      throw usageError(`"${shownPath(path)}" has ${formatBytes(size)}; that is no spec`, {
        next: 'give the path of a YAML file that lists charts and images',
      })
    }
    return { fileName: shownPath(path), text: await readFile(path, 'utf8') }
  } catch (cause) {
    if (cause instanceof BundleError) throw cause
    throw missingSpec(path, cause)
  }
}
