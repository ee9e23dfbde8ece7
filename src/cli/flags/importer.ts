import { usageError } from '../../lib/errors.ts'
import type { Args, ArgsDef } from '../args/flags.ts'

/** Flags that put the program itself into a bundle. */
export const programArgs = {
  withCli: {
    type: 'string',
    hint: 'amd64,arm64',
    alone: { value: 'amd64', words: /^(?:amd64|arm64)(?:,(?:amd64|arm64))*$/ },
    description:
      'Put the importer into the bundle, as the entry ma-bundle (and ma-bundle-arm64): one thing to carry, some 115 MiB each',
  },
  cliFrom: {
    type: 'string',
    multiple: true,
    hint: 'file|dir',
    description:
      'Where the importer for --with-cli is; by default this program itself, and what lies beside it',
  },
} as const satisfies ArgsDef

/** The programs that the flags ask for, and where they may be. */
export const programSettings = ({ withCli, cliFrom }: Args<typeof programArgs>) => ({
  platforms: platformsOf(withCli, cliFrom),
  from: cliFrom,
})

// --- internal ---

/** In one order, so that the order of the flag does not show in the bundle. */
function platformsOf(withCli: string | undefined, cliFrom: readonly string[]): readonly string[] {
  if (withCli === undefined || withCli === 'false') {
    if (cliFrom.length === 0) return []
    throw usageError('--cli-from is given without --with-cli', { next: 'add --with-cli' })
  }
  const words = (withCli === 'true' ? programArgs.withCli.alone.value : withCli).split(',')
  const unknown = words.find((word) => !['amd64', 'arm64'].includes(word))
  if (unknown !== undefined) {
    throw usageError(`${JSON.stringify(unknown)} is no machine that ma-bundle is built for`, {
      where: 'flag --with-cli',
      next: 'write amd64, arm64 or both with a comma; --cli-from names a file or folder',
    })
  }
  return [...new Set(words)].toSorted().map((word) => `linux/${word}`)
}
