import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { replaceFile } from '../../../lib/bytes/write-whole.ts'
import { postRenderPlugin } from './post-render-plugin.ts'
import type { Layout } from '../../format/destination.ts'

/**
 * Writes a Helm plugin that runs this program's post-renderer over a bundle; its script alone is one of Helm 3.
 * @param to the folder, which is made
 * @returns the folder, absolute
 */
export async function writePostRenderer(
  to: string,
  {
    bundle,
    layout,
    flags = [],
  }: { readonly bundle: string; readonly layout: Layout; readonly flags?: readonly string[] },
): Promise<string> {
  const folder = resolve(to)
  const { registry, path, prefix, chartPrefix } = layout
  const { files } = postRenderPlugin([
    ...ownCommand(),
    'post-render',
    /^[a-z0-9]+:\/\//.test(bundle) ? bundle : resolve(bundle),
    `--registry=${path === '' ? registry : `${registry}/${path}`}`,
    `--prefix=${prefix}`,
    `--chart-prefix=${chartPrefix}`,
    ...flags,
  ])
  await mkdir(folder, { recursive: true })
  for (const [name, text] of Object.entries(files))
    await replaceFile(join(folder, name), text, { mode: name.endsWith('.sh') ? 0o755 : 0o644 })
  return folder
}

// --- internal ---

/** How this program was started; a compiled one is its own interpreter, with its source in a file system of its own. */
function ownCommand(): readonly string[] {
  const script = process.argv[1]
  return script === undefined || script.startsWith('/$bunfs/')
    ? [process.execPath]
    : [process.execPath, script]
}
