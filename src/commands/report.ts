import { basename } from 'node:path'
import manifest from '../../package.json' with { type: 'json' }
import { reportOf } from '../bundle/inspect/report.ts'
import { formatReport } from '../bundle/inspect/report-text.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { signedByData, signedByLines } from '../cli/output/signed-by.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { writeWhole } from '../lib/bytes/write-whole.ts'
import { jsonText } from '../lib/text/visible.ts'
import { awsArgs } from '../cli/flags/aws.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'

export default defineBundleCommand({
  name: 'report',
  description:
    'Writes what is in a bundle for approvers: contents, digests, sources, licences as annotated, ' +
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
      description: 'Name before .json and .md; <bundle>.report by default, in this folder when that is in S3',
    },
    ...volumesArgs,
    ...awsArgs,
    ...signatureArgs,
  },
  async run(args, session) {
    await withBundle(args.bundle, { ...session, ...args }, async ({ bundle, file, medium, signed }) => {
      const report = await reportOf(bundle, file.size, `ma-bundle ${manifest.version}`, signed)
      const output = args.output ?? `${medium.stem}.report`
      await writeWhole(`${output}.json`, `${jsonText(report, 2)}\n`, 'report')
      await writeWhole(`${output}.md`, formatReport(report), 'report')
      const files = [`${basename(output)}.json`, `${basename(output)}.md`]
      session.result(
        {
          bundle: basename(args.bundle),
          files,
          signatureChecked: signed !== undefined,
          ...signedByData(signed),
          report,
        },
        `${[`Wrote ${files.join(' and ')}.`, ...signedByLines(signed)].join('\n')}\n`,
      )
    })
  },
})
