import { basename } from 'node:path'
import { exportResult, exportTo, withExport, type ExportDone, type ExportRequest } from '../api/export-to.ts'
import { verdictLine, verdictLines } from '../bundle/charts/judge/verdict.ts'
import { refuseMissing } from '../bundle/export/prove-charts.ts'
import type { Prepared } from '../bundle/export/prepared.ts'
import { isStandardOutput, newMediumAt } from '../bundle/media/at.ts'
import type { Medium } from '../bundle/media/medium.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { helmArgs } from '../cli/flags/helm.ts'
import { programArgs, programSettings } from '../cli/flags/importer.ts'
import { networkArgs, networkSettings } from '../cli/flags/network.ts'
import { splitArgs, storageArgs, writeSettings } from '../cli/flags/output.ts'
import { prepareArgs, sourceSettings } from '../cli/flags/prepare.ts'
import { olderArgs } from '../cli/flags/since-reuse.ts'
import { imagesArg, isImageWord } from '../cli/flags/source.ts'
import { forecast, rateArgs } from '../cli/output/forecast.ts'
import { noticeText } from '../cli/output/notice-text.ts'
import { carryNext } from '../cli/output/carry.ts'
import { exportSummary } from '../cli/output/summary.ts'
import { writtenText } from '../cli/output/written.ts'
import type { CommandSession } from '../cli/session.ts'
import { nextSteps } from '../cli/ui/next.ts'
import { tallyText } from '../cli/ui/words.ts'
import { usageError } from '../lib/errors.ts'
import { formatBytes, plural } from '../lib/format.ts'
import type { OnNotice } from '../setup/source.ts'

export default defineBundleCommand({
  name: 'export',
  description:
    'Pulls every image, chart and file of a spec into one tar: an OCI image layout that other tools read too. ' +
    'Nothing gets the final name before all of it is there and verified; run the same command again to continue.',
  examples: [
    { command: 'ma-bundle export bundle.tar', description: 'the newest Migration Assistant' },
    {
      command:
        'ma-bundle export bundle.tar nginx:1.27 --chart grafana@8.15.0=https://grafana.github.io/helm-charts',
      description: 'images and charts, without any file',
    },
    {
      command: 'ma-bundle export bundle.tar --spec images.txt',
      description: 'a list you have: text, compose, Hauler, Zarf, manifests and more',
    },
    {
      command: 'ma-bundle export bundle.tar --spec my-spec.yaml --platform linux/arm64',
      description: 'a spec of your own',
    },
    {
      command: 'ma-bundle export bundle.tar --mirror docker.io=mirror.gcr.io',
      description: 'spare the Docker Hub limit',
    },
    {
      command: 'ma-bundle export - | ssh inside ma-bundle import - --registry <host>',
      description: 'through a pipe, with no file on either side',
    },
    {
      command: 'ma-bundle export s3://my-bucket/bundle.tar --sse-kms-key alias/bundles',
      description: 'straight into S3, with no disk in between',
    },
    {
      command: 'ma-bundle export bundle.tar --dry-run',
      description: 'see what it would fetch, and how much',
    },
  ],
  dataOnStdout: ({ bundle }) => isStandardOutput(bundle),
  args: {
    bundle: { type: 'positional', description: 'File to write, s3://bucket/key, or - for standard output' },
    images: imagesArg,
    ...prepareArgs,
    ...olderArgs,
    ...programArgs,
    dryRun: {
      type: 'boolean',
      description: 'Resolve everything and show what would be fetched; write nothing (see also: plan)',
    },
    ...rateArgs,
    ...splitArgs,
    ...storageArgs,
    abort: {
      type: 'boolean',
      description:
        'Cancel an unfinished export to S3: delete the parts it left, which cost money; nothing else happens',
    },
    sign: {
      type: 'string',
      hint: 'file|awskms://…',
      description:
        'Sign the bundle with this private key (PEM, Ed25519 or ECDSA P-256), or one in AWS KMS: writes <bundle>.sig',
    },
    signatureOut: {
      type: 'string',
      hint: 'file',
      description: 'Where --sign writes; <bundle>.sig by default',
    },
    lockOut: {
      type: 'string',
      hint: 'file',
      description: 'Where to write the lock; <bundle>.lock.json by default, nowhere for -',
    },
    ...helmArgs,
    ...networkArgs,
  },
  async run(args, session) {
    if (isImageWord(args.bundle)) {
      throw usageError(`"${args.bundle}" is an image, and the first word is the bundle to write`, {
        next: `ma-bundle export bundle.tar ${args.bundle}`,
      })
    }
    const signed = args.sign !== undefined && args.signatureOut === undefined
    const medium = await newMediumAt(args.bundle, writeSettings({ ...args, signed }), session)
    if (args.abort) return abandon(args.bundle, medium, session)
    const around = { ...session, volumes: args.volumes }
    const onNotice: OnNotice = (notice) => session.note(noticeText(notice))
    const request: ExportRequest = {
      source: sourceSettings(args),
      network: await networkSettings(args, session),
      older: args,
      programs: programSettings(args),
      sign: args.sign === undefined ? undefined : { key: args.sign, to: args.signatureOut },
      // A volume that is made again has its lock already.
      lockOut: args.lockOut ?? (args.onlyVolume === undefined ? undefined : false),
    }
    if (!args.dryRun) return show(await exportTo(medium, request, around, onNotice), args, session)
    await withExport(
      request,
      around,
      { onNotice, tolerateMissing: true, to: medium },
      async ({ prepared, network }) => {
        const outlook = { rate: args.rate, network, split: args.split, free: await medium.free() }
        session.result(...forecast(prepared, outlook, session))
        refuseMissing(prepared.missing)
      },
    )
  },
})

// --- internal ---

function show(
  done: ExportDone,
  { reuse, split }: { readonly reuse: string | undefined; readonly split: number | undefined },
  session: CommandSession,
): void {
  const { prepared, written, signature } = done
  const { programs } = prepared
  const { roots, ...data } = exportResult(done)
  const { bundle, size, fetched, kept, reused, absent, seconds } = data
  const text = writtenText(written, carryNext(bundle, programs[0], signature))
  const brief = `Wrote ${bundle}: ${formatBytes(size)}, ${plural(roots.length, 'item')}, fetched ${formatBytes(fetched)} in ${seconds.toFixed(1)} s${tallyText(session.tally)}.`
  const whole = (): string =>
    [
      exportSummary(roots, session),
      ...judgement(prepared),
      brief,
      ...(kept === 0 ? [] : [`${formatBytes(kept)} were there from an earlier run.`]),
      ...(reused === 0
        ? []
        : [
            `${formatBytes(reused)} came from ${reuse === undefined ? 'the bundle that was there' : basename(reuse)}.`,
          ]),
      ...(absent.count === 0
        ? []
        : [
            `Left out ${plural(absent.count, 'blob')} (${formatBytes(absent.bytes)}) that the target registry has; only a registry that has them takes it.`,
          ]),
      ...programs.map(
        ({ path, platform, size: bytes }) =>
          `Carries ma-bundle for ${platform} along, as ${path} (${formatBytes(bytes)})${split === undefined ? '' : `: cat ${bundle}.[0-9]* | tar xf - ${path}`}.`,
      ),
      ...(data.image === undefined
        ? []
        : [
            `Carries an image of ma-bundle for ${data.image.platforms.join(' and ')} along: ${data.image.name}.`,
          ]),
      ...(signature === undefined
        ? []
        : [`Signed with ${signature.algorithm}: carry ${signature.file} along.`]),
      ...text.lines,
      ...(text.next === undefined ? [] : [nextSteps([text.next], session)]),
      '',
    ].join('\n')
  session.result({ ...data, ...text.data, roots }, whole, brief)
}

/** What the installation pulls, and from where; nothing for a list without charts. */
function judgement({ proof, roots }: Prepared): readonly string[] {
  const charts = roots.flatMap((root) => (root.kind === 'chart' ? [root.chart] : []))
  if (charts.length === 0) return []
  return [...verdictLines(proof, charts), ...(proof.length === 0 ? [] : [verdictLine(proof)])]
}

/** Deletes what an unfinished export left. */
async function abandon(bundle: string, medium: Medium, session: CommandSession): Promise<void> {
  const there = await medium.abandon()
  session.result(
    { bundle, aborted: there },
    there
      ? `Deleted the parts that an export to ${bundle} had left.\n`
      : `No export to ${bundle} is unfinished.\n`,
  )
}
