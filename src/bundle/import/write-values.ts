import { constants, statSync } from 'node:fs'
import { access, mkdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import { replaceFile } from '../../lib/bytes/write-whole.ts'
import { BundleError, codeOf, usageError } from '../../lib/errors.ts'
import { whyUnwritable } from '../../lib/file-errors.ts'
import type { UnboundIn } from '../charts/override.ts'
import { privateManifests, type PrivateManifest, type PrivateManifests } from '../charts/private-manifests.ts'
import { writePostRenderer } from '../charts/steps/post-renderer.ts'
import { installSteps, POST_RENDERER, type InstallSteps } from '../charts/steps/steps.ts'
import { computeValues, overrideFacts, type OverrideOptions, type ReliesOn } from '../charts/values.ts'
import type { Layout } from '../format/destination.ts'
import type { Bundle } from '../format/open.ts'

export const defaultValuesFile = 'ma-bundle-values.yaml'

/** The values files that were written. */
export interface WrittenValues {
  /** The umbrella file's name. */
  readonly file: string
  /** The folder beside it, with a file for each of `charts`. */
  readonly folder: string
  readonly charts: readonly string[]
  /** Places that name an image the bundle does not have. */
  readonly unbound: readonly UnboundIn[]
  /** What else must stay as it is for the override to be right. */
  readonly relies: readonly ReliesOn[]
  /** The manifests that the bundle carries, as they were written. */
  readonly manifests?: WrittenManifests
  /** What a person does next. */
  readonly steps: InstallSteps
}

/** What the commands to come depend on. */
export interface WriteSituation {
  /** Of the helm on this machine, `v3.17.3`. */
  readonly helm?: string
  /** The bundle as it was named, and flags for reading it again; absent for a pipe. */
  readonly source?: { readonly bundle: string; readonly flags: readonly string[] }
}

export interface WrittenManifests {
  /** Beside the umbrella file. */
  readonly folder: string
  readonly files: readonly Omit<PrivateManifest, 'text'>[]
}

/**
 * Writes the umbrella override, and beside it a folder with one values file a chart: `<name>.d/<chart>.yaml`, and one
 * with the manifests that the bundle carries: `<name>.manifests/`.
 * @returns nothing for a layout of another tool, which has no charts
 * @throws a usage error when they cannot be written
 */
export async function writeValues(
  file: string,
  bundle: Bundle,
  layout: Layout,
  options: OverrideOptions & WriteSituation = {},
): Promise<WrittenValues | undefined> {
  const facts = await overrideFacts(bundle)
  if (facts === undefined) return undefined
  const values = computeValues(facts, layout, options)
  const { helm, source } = options
  const stem = file.replace(/\.ya?ml$/, '')
  const folder = `${stem}.d`
  const carried = privateManifests(bundle, layout)
  const steps = installSteps(facts, bundle.contents?.proof ?? [], {
    layout,
    values: file,
    folder,
    chartFiles: [...values.charts.keys()],
    ...(helm === undefined ? {} : { helm }),
    ...(source === undefined ? {} : { bundle: source.bundle }),
  })
  const ofCharts = [...values.charts].map(([chart, yaml]) => [`${chart}.yaml`, yaml] as const)
  try {
    await replaceFile(file, values.umbrella)
    for (const [name, text] of new Map([...steps.files, ...ofCharts])) {
      const path = join(folder, name)
      await mkdir(dirname(path), { recursive: true })
      await replaceFile(path, text)
    }
    if (steps.postRender && source !== undefined)
      await writePostRenderer(join(folder, POST_RENDERER), { ...source, layout })
    if (carried !== undefined) await writeManifests(`${stem}.manifests`, carried)
  } catch (error) {
    if (error instanceof BundleError) throw error
    throw cannotWrite(file, error, 'name another file with --values; everything is in the registry already')
  }
  return {
    file: basename(file),
    folder: basename(folder),
    charts: [...values.charts.keys()],
    unbound: values.unbound,
    relies: values.relies,
    ...(carried === undefined
      ? {}
      : {
          manifests: {
            folder: basename(`${stem}.manifests`),
            files: carried.manifests.map(({ name, replaced, open }) => ({ name, replaced, open })),
          },
        }),
    steps,
  }
}

/**
 * Looks whether the override can be written there, before anything is pushed.
 * @throws a usage error that says why not
 */
export async function checkValuesPlace(file: string): Promise<void> {
  try {
    if (!(await stat(dirname(file))).isDirectory())
      throw Object.assign(new Error('it is no folder'), { code: 'ENOTDIR' })
    await access(dirname(file), constants.W_OK | constants.X_OK)
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
      throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' })
  } catch (error) {
    throw cannotWrite(file, error, 'name another file with --values; nothing was pushed')
  }
}

// --- internal ---

const cannotWrite = (file: string, error: unknown, next: string): BundleError =>
  usageError(
    `cannot write the values override: ${whyUnwritable(error) ?? codeOf(error) ?? 'unknown error'}`,
    { where: basename(file), next, cause: error },
  )

/** In a folder of its own, so that kubectl apply -f takes the manifests and nothing else. */
const KUSTOMIZE = 'kustomize'

async function writeManifests(folder: string, { manifests, kustomization }: PrivateManifests): Promise<void> {
  await mkdir(join(folder, KUSTOMIZE), { recursive: true })
  for (const { name, text } of manifests) await replaceFile(join(folder, name), text)
  await replaceFile(join(folder, KUSTOMIZE, 'kustomization.yaml'), kustomization)
}
