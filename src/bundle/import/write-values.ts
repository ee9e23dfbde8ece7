import { constants, statSync } from 'node:fs'
import { access, mkdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import { replaceFile } from '../../lib/bytes/write-whole.ts'
import { BundleError, codeOf, usageError } from '../../lib/errors.ts'
import { whyUnwritable } from '../../lib/file-errors.ts'
import type { UnboundIn } from '../charts/override.ts'
import { privateManifests, type PrivateManifest, type PrivateManifests } from '../charts/private-manifests.ts'
import { valuesFor, type OverrideOptions } from '../charts/values.ts'
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
  /** The manifests that the bundle carries, as they were written. */
  readonly manifests?: WrittenManifests
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
  options: OverrideOptions = {},
): Promise<WrittenValues | undefined> {
  const values = await valuesFor(bundle, layout, options)
  if (values === undefined) return undefined
  const stem = file.replace(/\.ya?ml$/, '')
  const folder = `${stem}.d`
  const carried = privateManifests(bundle, layout)
  try {
    await replaceFile(file, values.umbrella)
    if (values.charts.size > 0) await mkdir(folder, { recursive: true })
    for (const [chart, yaml] of values.charts) await replaceFile(join(folder, `${chart}.yaml`), yaml)
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
    ...(carried === undefined
      ? {}
      : {
          manifests: {
            folder: basename(`${stem}.manifests`),
            files: carried.manifests.map(({ name, replaced, open }) => ({ name, replaced, open })),
          },
        }),
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
