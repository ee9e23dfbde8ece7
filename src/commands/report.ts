import { basename } from 'node:path'
import { isS3 } from '../aws/s3/location.ts'
import manifest from '../../package.json' with { type: 'json' }
import { bundlePath } from '../archive/volumes/volume.ts'
import { openBundle } from '../bundle/format/open.ts'
import { reportOf } from '../bundle/inspect/report.ts'
import { formatReport } from '../bundle/inspect/report-text.ts'
import { openBundleFile } from '../cli/media/open-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { checkSignature, signatureArgs } from '../cli/flags/signing.ts'
import { writeWhole } from '../cli/output/write-file.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

export default defineBundleCommand({
  name: 'report',
  description:
    'Writes what is in a bundle for those who have to approve it: contents, digests, sources, licences as annotated, ' +
    'signatures carried, the proof. As JSON for programs and as Markdown for people; nothing in it depends on when or ' +
    'where it is made.',
  examples: [
    {
      command: 'ma-bundle report bundle.tar',
      description: 'writes bundle.tar.report.json and bundle.tar.report.md',
    },
  ],
  args: {
    bundle: { type: 'positional', description: 'Bundle to report on' },
    output: {
      type: 'string',
      hint: 'name',
      description:
        'Name before .json and .md; <bundle>.report unless told, in this folder when that is in S3',
    },
    ...volumesArgs,
    ...signatureArgs,
  },
  async run(args, session) {
    const file = await openBundleFile(args.bundle, { ...session, volumes: args.volumes })
    try {
      const bundle = await openBundle(file)
      const signed = await checkSignature(bundle, args, session)
      const report = await reportOf(bundle, file.size, `ma-bundle ${manifest.version}`)
      const output =
        args.output ?? `${isS3(args.bundle) ? basename(args.bundle) : bundlePath(args.bundle)}.report`
      await writeWhole(`${output}.json`, `${JSON.stringify(report, undefined, 2)}\n`, 'report')
      await writeWhole(`${output}.md`, formatReport(report), 'report')
      const files = [`${basename(output)}.json`, `${basename(output)}.md`]
      session.result(
        { bundle: basename(args.bundle), files, signatureChecked: signed, report },
        `Wrote ${files.join(' and ')}.\n`,
      )
    } finally {
      await file.close()
    }
  },
})
