import { basename } from 'node:path'
import { chooseRoots, extractRoots } from '../bundle/extract/extract.ts'
import { IMAGE_FORMATS } from '../bundle/extract/image.ts'
import { BundleError, usageError } from '../lib/errors.ts'
import { whyUnwritable } from '../lib/file-errors.ts'
import { formatBytes } from '../lib/format.ts'
import { parsePlatform } from '../oci/platform.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { pickArgs } from '../cli/flags/pick.ts'
import { pickedFrom } from '../setup/pick.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { table } from '../cli/ui/table.ts'
import { awsArgs } from '../cli/flags/aws.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

export default defineBundleCommand({
  name: 'extract',
  description:
    'Takes single things out of a bundle, as files that other tools read: an image as oci-archive (skopeo, podman, ctr) ' +
    'or docker-archive (docker load), a chart as its tgz, a file as it is. Without names it takes everything.',
  examples: [
    {
      command: 'ma-bundle extract bundle.tar quay.io/jetstack/cert-manager-webhook',
      description: 'one image, for skopeo or podman',
    },
    {
      command: 'ma-bundle extract bundle.tar x --format docker-archive --platform linux/amd64',
      description: 'for docker load',
    },
    { command: 'ma-bundle extract bundle.tar cert-manager --output charts', description: 'a chart' },
  ],
  args: {
    bundle: { type: 'positional', description: 'Bundle to take from' },
    names: {
      type: 'positional',
      required: false,
      multiple: true,
      description: 'Images, charts and files, as inspect lists them or the end of their names',
    },
    ...pickArgs,
    output: { type: 'string', hint: 'dir', default: '.', description: 'Folder to write into' },
    format: { type: 'enum', options: IMAGE_FORMATS, default: 'oci-archive', description: 'Of images' },
    platform: { type: 'string', hint: 'os/arch', description: 'Of images, this platform alone' },
    ...volumesArgs,
    ...awsArgs,
    ...signatureArgs,
  },
  async run(args, session) {
    const platform = args.platform === undefined ? undefined : parsePlatform(args.platform)
    await withBundle(args.bundle, { ...session, ...args }, async ({ bundle }) => {
      const options = {
        emit: session.emit,
        signal: session.signal,
        concurrency: 4,
        output: args.output,
        format: args.format,
        ...(platform === undefined ? {} : { platform }),
      }
      const roots = chooseRoots(pickedFrom(bundle, args, session).roots, args.names)
      const extracted = await extractRoots(bundle, roots, options).catch(unwritable)
      const files = extracted.map(({ root: { kind, name, digest }, file: written, size }) => ({
        kind,
        name,
        digest,
        file: written,
        size,
      }))
      session.result(
        { bundle: basename(args.bundle), files },
        () =>
          `${table(
            ['kind', 'name', 'file', { title: 'size', align: 'right', whole: true }],
            files.map((one) => [one.kind, one.name, one.file, formatBytes(one.size)]),
            session.columns,
          )}\n`,
      )
    })
  },
})

// --- internal ---

function unwritable(error: unknown): never {
  const why = whyUnwritable(error)
  if (why === undefined || error instanceof BundleError) throw error
  throw usageError(`cannot write into the --output folder: ${why}`, { cause: error })
}
