import { basename } from 'node:path'
import { diffBundles, type BundleDiff } from '../bundle/inspect/diff.ts'
import type { Bundle } from '../bundle/format/open.ts'
import type { Contents } from '../bundle/format/contents.ts'
import { verdictLine, verdictLines } from '../bundle/charts/judge/verdict.ts'
import { formatBytes, plural } from '../lib/format.ts'
import { openBase } from '../bundle/media/base.ts'
import type { MediumOptions } from '../bundle/media/medium.ts'
import { signatureStateOf, type SignatureOptions } from '../bundle/media/trust.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { diffData, diffText, sideOf } from '../cli/output/diff-text.ts'
import { writeHtmlReport } from '../cli/output/html-report.ts'
import { signedByData, signedByLines } from '../cli/output/signed-by.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { table } from '../cli/ui/table.ts'
import { oneLine } from '../cli/ui/style.ts'
import { awsArgs } from '../cli/flags/aws.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

export default defineBundleCommand({
  name: 'inspect',
  description:
    'Lists what is in a bundle: images with their platforms, charts, files. Reads its tables and manifests, no layers. ' +
    'With --html it also writes a page for approvers of the bundle: one file, readable without a network.',
  examples: [
    { command: 'ma-bundle inspect bundle.tar', description: 'a table' },
    { command: 'ma-bundle inspect bundle.tar --json', description: 'for programs' },
    {
      command: 'ma-bundle inspect bundle.tar --html report.html --compare last.tar',
      description: 'for a change board, with what is different from the bundle before',
    },
  ],
  args: {
    bundle: { type: 'positional', description: 'Bundle to look into' },
    html: {
      type: 'string',
      hint: 'file',
      description: 'Write a page about it: sizes, contents, charts, proof, signature, changes',
    },
    compare: {
      type: 'string',
      hint: 'file',
      description: 'Show what is different from this older bundle, or from its lock',
    },
    ...volumesArgs,
    ...awsArgs,
    ...signatureArgs,
  },
  async run(args, session) {
    const options = { ...session, ...args }
    await withBundle(args.bundle, options, async ({ bundle, file, medium, signed }) => {
      const signature = await signatureStateOf(medium, signed, args)
      const compared = args.compare === undefined ? undefined : await compare(args.compare, bundle, options)
      const name = basename(args.bundle)
      const page = args.html === undefined ? undefined : basename(args.html)
      if (args.html !== undefined)
        await writeHtmlReport(args.html, { name, bundle, size: file.size, signature, compared })
      session.result(
        {
          ...dataOf(name, file.size, bundle),
          signatureChecked: signature.state === 'checked',
          ...signedByData(signed),
          ...(compared === undefined
            ? {}
            : { compared: { with: compared.file, ...diffData(compared.diff) } }),
          ...(page === undefined ? {} : { html: page }),
        },
        () =>
          [
            textOf(bundle, file.size, session.columns),
            ...signedByLines(signed).map((line) => `${line}\n`),
            ...(compared === undefined
              ? []
              : [`Since ${oneLine(compared.file)}:\n${diffText(compared.diff)}`]),
            ...(page === undefined ? [] : [`Wrote ${page}.\n`]),
          ].join('\n'),
      )
    })
  },
})

// --- internal ---

async function compare(
  path: string,
  bundle: Bundle,
  options: MediumOptions & SignatureOptions,
): Promise<{ readonly file: string; readonly diff: BundleDiff }> {
  const old = await openBase(path, options)
  try {
    return { file: basename(path), diff: await diffBundles(sideOf(old), { bundle }) }
  } finally {
    await old.close()
  }
}

function dataOf(file: string, size: number, { contents, roots, archive }: Bundle) {
  const { name = FOREIGN, version } = contents ?? {}
  const absent = contents?.absent ?? []
  return {
    bundle: file,
    name,
    version,
    size,
    entries: archive.entries.size,
    roots,
    absent: { count: absent.length, bytes: absent.reduce((sum, blob) => sum + blob.size, 0) },
    programs: contents?.programs ?? [],
    proof: contents?.proof ?? [],
  }
}

function textOf(bundle: Bundle, size: number, columns: number): string {
  const { name, version, roots, entries, absent, programs } = dataOf('', size, bundle)
  const rows = roots.map((root) => [
    root.kind,
    root.name,
    root.digest.slice(0, 19),
    root.kind === 'image' ? root.platforms.join(' ') : '',
  ])
  const title = `${oneLine([name, version ?? ''].join(' '))}: ${roots.length} items, ${formatBytes(size)}, ${entries} entries`
  const listing = table(['kind', 'name', 'digest', 'platforms'], rows, columns)
  const left =
    absent.count === 0
      ? ''
      : `\nLeaves out ${plural(absent.count, 'blob')} (${formatBytes(absent.bytes)}): only a registry that has them takes it.\n`
  const along = programs.map(
    (program) =>
      `\nCarries ma-bundle ${program.version} for ${program.platform} along, as ${program.path} (${formatBytes(program.size)}).\n`,
  )
  const proof = bundle.contents === undefined ? '' : `\n${judgement(bundle.contents)}`
  return `${title}\n\n${listing}\n${left}${along.join('')}${proof}`
}

function judgement({ proof, roots }: Contents): string {
  const charts = roots.flatMap((root) => (root.kind === 'chart' ? [root.chart] : []))
  return [...verdictLines(proof, charts), verdictLine(proof), ''].join('\n')
}

const FOREIGN = 'OCI layout of another tool'
