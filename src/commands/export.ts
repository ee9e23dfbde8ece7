import { basename } from 'node:path'
import type { Program } from '../bundle/format/importer.ts'
import { refuseMissing } from '../bundle/export/prove-charts.ts'
import { verdictLine, verdictLines } from '../bundle/charts/judge/verdict.ts'
import type { Prepared } from '../bundle/export/prepared.ts'
import type { Signer } from '../bundle/format/signature.ts'
import { SUMS } from '../bundle/format/sums.ts'
import { isStandardOutput, newMediumAt } from '../bundle/media/at.ts'
import type { Medium } from '../bundle/media/medium.ts'
import { signOn } from '../bundle/media/trust.ts'
import { encodeLock } from '../bundle/spec/lock-file.ts'
import { BundleError } from '../lib/errors.ts'
import { formatBytes, plural } from '../lib/format.ts'
import { forecast, rateArgs } from '../cli/output/forecast.ts'
import { helmArgs } from '../cli/flags/helm.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { networkArgs, openNetwork } from '../cli/flags/network.ts'
import { openSigner } from '../setup/signer.ts'
import { nextSteps } from '../cli/ui/next.ts'
import { tallyText } from '../cli/ui/words.ts'
import { imagesArg } from '../cli/flags/source.ts'
import { olderArgs } from '../cli/flags/since-reuse.ts'
import { openOlder } from '../setup/older.ts'
import { splitArgs, storageArgs, writeSettings } from '../cli/flags/output.ts'
import type { Session } from '../cli/session.ts'
import { prepare, prepareArgs } from '../cli/flags/prepare.ts'
import { openPrograms, programArgs } from '../cli/flags/importer.ts'
import { writtenText } from '../cli/output/written.ts'
import { exportSummary } from '../cli/output/summary.ts'

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
      description: 'Resolve everything and tell what would be fetched; write nothing (plan tells more)',
    },
    ...rateArgs,
    ...splitArgs,
    ...storageArgs,
    abort: {
      type: 'boolean',
      description:
        'Give up an unfinished export to S3: delete the parts it left, which cost money; nothing else happens',
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
      description: 'Where --sign writes; <bundle>.sig unless told',
    },
    lockOut: {
      type: 'string',
      hint: 'file',
      description: 'Where to write the lock; <bundle>.lock.json unless told, nowhere for -',
    },
    ...helmArgs,
    ...networkArgs,
  },
  async run(args, session) {
    const signed = args.sign !== undefined && args.signatureOut === undefined
    const medium = await newMediumAt(args.bundle, writeSettings({ ...args, signed }), session)
    if (args.abort) return abandon(args.bundle, medium, session)
    if (!args.dryRun) await medium.check()
    const older = await openOlder(args, { ...session, volumes: args.volumes })
    let signer: Awaited<ReturnType<typeof openSigner>> | undefined
    try {
      if (args.sign !== undefined) signer = await openSigner(args.sign, session, args.caFile)
      const programs = await openPrograms(args, session.signal)
      const network = await openNetwork(args, session)
      const resolved = await prepare(args, session, network, {
        ...older,
        programs: programs.list,
        tolerateMissing: args.dryRun,
      })
      const { prepared, given } = older.reuse(resolved)
      if (args.dryRun) {
        const outlook = { rate: args.rate, network, split: args.split, free: await medium.free() }
        session.result(...forecast(prepared, outlook, session))
        refuseMissing(prepared.missing)
        return
      }
      const { weights } = prepared
      const started = performance.now()
      const written = await medium.write(prepared, network)
      const { name, size } = written
      // A pipe has nothing beside it, and a volume that is made again has its lock already.
      if (args.lockOut !== undefined || (medium.can.sidecar && args.onlyVolume === undefined))
        await medium.writeSidecar('.lock.json', encodeLock(prepared.lock), args.lockOut)
      const signature =
        signer === undefined ? undefined : await signExport(medium, name, prepared, signer, args.signatureOut)
      const reused = given()
      const fetched = Math.max(0, written.fetched - reused - programs.given())
      const seconds = (performance.now() - started) / 1000
      const text = writtenText(written, carryNext(name, programs.list[0]))
      const absentBytes = prepared.absent.reduce((sum, blob) => sum + blob.size, 0)
      session.result(
        {
          bundle: name,
          size,
          fetched,
          kept: written.kept,
          reused,
          absent: { count: prepared.absent.length, bytes: absentBytes },
          seconds,
          programs: prepared.programs,
          proof: prepared.proof,
          ...(signature === undefined ? {} : { signature: signature.file }),
          ...text.data,
          roots: weights,
        },
        () =>
          [
            exportSummary(weights, session),
            ...judgement(prepared),
            `Wrote ${name}: ${formatBytes(size)}, ${plural(weights.length, 'item')}, fetched ${formatBytes(fetched)} in ${seconds.toFixed(1)} s${tallyText(session.tally)}.`,
            ...(written.kept === 0 ? [] : [`${formatBytes(written.kept)} were there from an earlier run.`]),
            ...(reused === 0 ? [] : [`${formatBytes(reused)} came from ${basename(args.reuse ?? '')}.`]),
            ...(prepared.absent.length === 0
              ? []
              : [
                  `Left out ${plural(prepared.absent.length, 'blob')} (${formatBytes(absentBytes)}) that the other side has; only a registry that has them takes it.`,
                ]),
            ...programs.list.map(
              ({ path, platform, size }) =>
                `Carries ma-bundle for ${platform} along, as ${path} (${formatBytes(size)})${args.split === undefined ? '' : `: cat ${name}.[0-9]* | tar xf - ${path}`}.`,
            ),
            ...(signature === undefined
              ? []
              : [`Signed with ${signature.algorithm}: carry ${signature.file} along.`]),
            ...text.lines,
            ...(text.next === undefined ? [] : [nextSteps([text.next], session)]),
            '',
          ].join('\n'),
      )
    } finally {
      signer?.close()
      await older.close()
    }
  },
})

// --- internal ---

/** What the installation pulls, and from where; nothing for a list without charts. */
function judgement({ proof, roots }: Prepared): readonly string[] {
  const charts = roots.flatMap((root) => (root.kind === 'chart' ? [root.chart] : []))
  if (charts.length === 0) return []
  return [...verdictLines(proof, charts), ...(proof.length === 0 ? [] : [verdictLine(proof)])]
}

/** Deletes what an unfinished export left. */
async function abandon(bundle: string, medium: Medium, session: Session): Promise<void> {
  const there = await medium.abandon()
  session.result(
    { bundle, aborted: there },
    there
      ? `Deleted the parts that an export to ${bundle} had left.\n`
      : `No export to ${bundle} is unfinished.\n`,
  )
}

/** A bundle may take long to write: it is there, even if it cannot be signed now. */
async function signExport(
  medium: Medium,
  name: string,
  { plan }: Prepared,
  signer: Signer,
  to: string | undefined,
): ReturnType<typeof signOn> {
  try {
    return await signOn(medium, plan.ready.get(SUMS) ?? new Uint8Array(), signer, to)
  } catch (error) {
    if (!(error instanceof BundleError) || error.kind === 'cancelled' || !medium.can.seek) throw error
    throw new BundleError(`the bundle is complete, but could not be signed: ${error.message}`, {
      kind: error.kind,
      ...(error.where === undefined ? {} : { where: error.where }),
      next: `${error.next ?? 'mend that'}; then run: ma-bundle sign ${name} --key <key>`,
      cause: error,
    })
  }
}

function carryNext(bundle: string, program: Program | undefined): string {
  const run = `import ${bundle} --registry <host>`
  return program === undefined
    ? `carry it, then: ma-bundle ${run}`
    : `carry it, then: tar xf ${bundle} ${program.path} && ./${program.path} ${run}`
}
