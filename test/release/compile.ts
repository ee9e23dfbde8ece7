import { join } from 'node:path'
import { buildMark, type Build } from '../../src/lib/build.ts'

/**
 * Compiles the program and a Bun runtime into one file that needs nothing but a glibc. Reading `.env` and bunfig.toml
 * is turned off: whoever wrote one into the working folder could send every request elsewhere.
 */
export async function compile(build: Build, runtime: string, outfile: string, root: string): Promise<void> {
  const { success, logs } = await Bun.build({
    entrypoints: [join(root, 'src', 'cli.ts')],
    root,
    minify: true,
    bytecode: true,
    format: 'esm',
    // One chunk for each command: a help text would load the code of all of them otherwise, which took half its time.
    splitting: true,
    define: { MA_BUNDLE_BUILD: JSON.stringify(buildMark(build)) },
    compile: {
      executablePath: runtime,
      outfile,
      autoloadDotenv: false,
      autoloadBunfig: false,
    },
  })
  if (!success) throw new AggregateError(logs, `the build for ${build.platform} failed`)
}
