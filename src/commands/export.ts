import { basename } from 'node:path'
import { prepareExport, writeExport } from '../bundle/export.ts'
import { loadSpec } from '../bundle/bundled-specs.ts'
import { usageError } from '../lib/errors.ts'
import { formatBytes } from '../lib/format.ts'
import { forecast } from './forecast.ts'
import { parsePlatform, type Platform } from '../oci/platform.ts'
import { mergeMirrors, parseMirrors } from '../registry/mirror.ts'
import { defineBundleCommand } from './command.ts'
import { networkArgs, openNetwork } from './network.ts'
import { exportSummary } from './summary.ts'

export default defineBundleCommand({
  name: 'export',
  description:
    'Pulls every image, chart and file of a spec into one tar: an OCI image layout that other tools read too. ' +
    'Nothing gets the final name before all of it is there and verified; run the same command again to continue.',
  examples: [
    { command: 'ma-bundle export bundle.tar', description: 'the newest Migration Assistant' },
    {
      command: 'ma-bundle export bundle.tar --spec my-spec.yaml --platform linux/arm64',
      description: 'your own list',
    },
    {
      command: 'ma-bundle export bundle.tar --mirror docker.io=mirror.gcr.io',
      description: 'spare the Docker Hub limit',
    },
    {
      command: 'ma-bundle export bundle.tar --dry-run',
      description: 'see what it would fetch, and how much',
    },
  ],
  args: {
    bundle: { type: 'positional', description: 'File to write' },
    spec: {
      type: 'string',
      hint: 'file|name',
      description: 'What to bundle: a file, or the name of a bundled spec',
    },
    with: {
      type: 'string',
      multiple: true,
      hint: 'group',
      description: 'Take this optional group of the spec along',
    },
    platform: {
      type: 'string',
      multiple: true,
      hint: 'os/arch',
      description:
        'Platforms to take, or "all" for everything byte for byte (default: linux/amd64 and linux/arm64)',
    },
    allowMissingPlatform: {
      type: 'boolean',
      description: 'Warn about an image that lacks a platform; do not fail',
    },
    mirror: {
      type: 'string',
      multiple: true,
      hint: 'host=mirror,…',
      description: 'Ask these mirrors before the host, in order; a mirror may have a path',
    },
    referrers: {
      type: 'boolean',
      description: 'Take signatures, attestations and SBOMs of the images along',
    },
    dryRun: {
      type: 'boolean',
      description: 'Resolve everything and tell what would be fetched; write nothing',
    },
    rate: {
      type: 'size',
      default: 20 * 1024 ** 2,
      description: 'Bytes per second that --dry-run reckons with',
    },
    ...networkArgs,
  },
  async run(args, session) {
    const { spec, text } = await loadSpec(args.spec)
    const platforms = parsePlatforms(args.platform)
    const network = await openNetwork(args, session)
    const prepared = await prepareExport({
      session: network,
      spec,
      specText: text,
      groups: args.with,
      ...(platforms === undefined ? {} : { platforms }),
      allowMissingPlatforms: args.allowMissingPlatform,
      referrers: args.referrers,
      mirrors: mergeMirrors(parseMirrors(args.mirror), spec.mirrors),
    })
    if (args.dryRun) {
      session.result(...forecast(prepared, args.rate, session))
      return
    }
    const { size, weights } = prepared
    const started = performance.now()
    const filled = await writeExport(args.bundle, prepared, network)
    const seconds = (performance.now() - started) / 1000
    const name = basename(args.bundle)
    session.result(
      { bundle: name, size, fetched: filled.fetched, kept: filled.kept, seconds, roots: weights },
      () =>
        [
          exportSummary(weights, session),
          `Wrote ${name}: ${formatBytes(size)}, ${weights.length} items, fetched ${formatBytes(filled.fetched)} in ${seconds.toFixed(1)} s.`,
          `Next: carry it, then: ma-bundle import ${name} --registry <host>`,
          '',
        ].join('\n'),
    )
  },
})

// --- internal ---

function parsePlatforms(texts: readonly string[]): readonly Platform[] | 'all' | undefined {
  const names = texts.flatMap((text) => text.split(',')).filter((text) => text !== '')
  if (names.length === 0) return undefined
  if (!names.includes('all')) return names.map(parsePlatform)
  if (names.length > 1)
    throw usageError('--platform all stands alone', { next: 'leave the other platforms out' })
  return 'all'
}
