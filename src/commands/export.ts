import { basename } from 'node:path'
import type { Program } from '../bundle/format/importer.ts'
import { verdictLine } from '../bundle/charts/proof.ts'
import { formatBytes, plural } from '../lib/format.ts'
import { forecast, roomFor, rateArgs } from '../cli/output/forecast.ts'
import { helmArgs } from '../cli/flags/helm.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { networkArgs, openNetwork } from '../cli/flags/network.ts'
import { openSigner, signExported } from '../cli/flags/signing.ts'
import { nextSteps } from '../cli/ui/next.ts'
import { tallyText } from '../cli/ui/words.ts'
import { olderArgs, openOlder } from '../cli/flags/since-reuse.ts'
import { outputOf } from '../cli/media/output.ts'
import { PIPE } from '../cli/media/pipe.ts'
import { writeLock } from '../cli/output/lock-io.ts'
import { prepare, prepareArgs } from '../cli/flags/prepare.ts'
import { findPrograms, programArgs } from '../cli/flags/importer.ts'
import { abandon, s3Args } from '../cli/media/s3.ts'
import { splitArgs } from '../cli/media/volumes.ts'
import { exportSummary } from '../cli/output/summary.ts'

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
  dataOnStdout: ({ bundle }) => bundle === PIPE,
  args: {
    bundle: { type: 'positional', description: 'File to write, s3://bucket/key, or - for standard output' },
    ...prepareArgs,
    ...olderArgs,
    ...programArgs,
    dryRun: {
      type: 'boolean',
      description: 'Resolve everything and tell what would be fetched; write nothing (plan tells more)',
    },
    ...rateArgs,
    ...splitArgs,
    ...s3Args,
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
    if (args.abort) return abandon(args.bundle, session)
    const output = outputOf(args, session)
    if (!args.dryRun) await output.look?.()
    const older = await openOlder(args, session)
    let signer: Awaited<ReturnType<typeof openSigner>> | undefined
    try {
      if (args.sign !== undefined) signer = await openSigner(args.sign, session, args.caFile)
      const programs = await findPrograms(args, session.signal)
      const network = await openNetwork(args, session)
      const resolved = await prepare(args, session, network, { ...older, programs: programs.list })
      const { prepared, given } = older.reuse(resolved)
      if (args.dryRun) {
        const outlook = { rate: args.rate, network, split: args.split, ...(await roomFor(args.bundle)) }
        session.result(...forecast(prepared, outlook, session))
        return
      }
      const { weights } = prepared
      const started = performance.now()
      const filled = await output.write(prepared, network)
      const { size } = filled
      await (args.lockOut === undefined ? output.writeLock(prepared) : writeLock(args.lockOut, prepared.lock))
      const signed =
        signer === undefined
          ? undefined
          : await (output.sign?.(prepared, signer) ??
              signExported(output.path ?? args.bundle, signer, session, args.signatureOut))
      const reused = given()
      const fetched = Math.max(0, filled.fetched - reused - programs.given())
      const seconds = (performance.now() - started) / 1000
      const told = output.told?.()
      const name = told?.name ?? output.name
      const absentBytes = prepared.absent.reduce((sum, blob) => sum + blob.size, 0)
      session.result(
        {
          bundle: name,
          size,
          fetched,
          kept: filled.kept,
          reused,
          absent: { count: prepared.absent.length, bytes: absentBytes },
          seconds,
          programs: prepared.programs,
          proof: prepared.proof,
          ...(signed === undefined ? {} : { signature: signed.file }),
          ...told?.data,
          roots: weights,
        },
        () =>
          [
            exportSummary(weights, session),
            ...(prepared.proof.length === 0 ? [] : [verdictLine(prepared.proof)]),
            `Wrote ${name}: ${formatBytes(size)}, ${plural(weights.length, 'item')}, fetched ${formatBytes(fetched)} in ${seconds.toFixed(1)} s${tallyText(session.tally)}.`,
            ...(filled.kept === 0 ? [] : [`${formatBytes(filled.kept)} were there from an earlier run.`]),
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
            ...(signed === undefined ? [] : [`Signed with ${signed.algorithm}: carry ${signed.file} along.`]),
            ...(told?.lines ?? []),
            ...(args.bundle === PIPE
              ? []
              : [nextSteps(told === undefined ? nextOf(name, programs.list[0]) : [told.next], session)]),
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

function nextOf(bundle: string, program: Program | undefined): readonly string[] {
  const run = `import ${bundle} --registry <host>`
  if (program === undefined) return [`carry it, then: ma-bundle ${run}`]
  return [`carry it, then: tar xf ${bundle} ${program.path} && ./${program.path} ${run}`]
}
