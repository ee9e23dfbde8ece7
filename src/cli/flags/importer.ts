import { usageError } from '../../lib/errors.ts'
import { parseReference } from '../../oci/reference.ts'
import type { Args, ArgsDef } from '../args/flags.ts'

/** The C library, CA certificates, time zones and nothing else; Bun's own image without a system is built on it. */
const DEFAULT_BASE = 'gcr.io/distroless/base-nossl-debian12:nonroot'

const MACHINES = /^(?:amd64|arm64)(?:,(?:amd64|arm64))*$/

/** Flags that put the program itself into a bundle. */
export const programArgs = {
  withCli: {
    type: 'string',
    hint: 'amd64,arm64',
    alone: { value: 'amd64', words: MACHINES },
    description:
      'Put the importer into the bundle, as the entry ma-bundle (and ma-bundle-arm64): one thing to carry, some 115 MiB each',
  },
  withImage: {
    type: 'string',
    hint: 'amd64,arm64',
    alone: { value: 'amd64,arm64', words: MACHINES },
    description:
      'Put an image of the importer into the bundle, for Jobs in the cluster: it is imported like any other, as localhost/ma-bundle',
  },
  imageBase: {
    type: 'string',
    hint: 'reference',
    description: `What --with-image is built on: an image with glibc 2.17 or newer; ${DEFAULT_BASE} unless given`,
  },
  cliFrom: {
    type: 'string',
    multiple: true,
    hint: 'file|dir',
    description:
      'Where the importer for --with-cli and --with-image is; by default this program itself, and what lies beside it',
  },
} as const satisfies ArgsDef

/**
 * The programs that the flags ask for, and where they may be.
 * @param lock may ask for an image, too
 */
export function programSettings({
  withCli,
  withImage,
  imageBase,
  cliFrom,
  lock,
}: Args<typeof programArgs> & { readonly lock: string | undefined }) {
  const platforms = platformsOf('--with-cli', withCli, programArgs.withCli.alone.value)
  const imaged = platformsOf('--with-image', withImage, programArgs.withImage.alone.value)
  if (cliFrom.length > 0 && lock === undefined && platforms.length + imaged.length === 0)
    throw usageError('--cli-from is given without --with-cli', { next: 'add --with-cli or --with-image' })
  if (imageBase !== undefined && imaged.length === 0)
    throw usageError('--image-base is given without --with-image', { next: 'add --with-image' })
  return {
    platforms,
    from: cliFrom,
    ...(imaged.length === 0
      ? {}
      : { image: { platforms: imaged, base: parseReference(imageBase ?? DEFAULT_BASE) } }),
  }
}

// --- internal ---

/** In one order, so that the order of the flag does not show in the bundle. */
function platformsOf(flag: string, given: string | undefined, alone: string): readonly string[] {
  if (given === undefined || given === 'false') return []
  const words = (given === 'true' ? alone : given).split(',')
  const unknown = words.find((word) => !['amd64', 'arm64'].includes(word))
  if (unknown !== undefined) {
    throw usageError(`${JSON.stringify(unknown)} is no machine that ma-bundle is built for`, {
      where: `flag ${flag}`,
      next: 'write amd64, arm64 or both with a comma; --cli-from names a file or folder',
    })
  }
  return [...new Set(words)].toSorted().map((word) => `linux/${word}`)
}
