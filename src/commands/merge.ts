import { basename } from 'node:path'
import { prepareMerge } from '../bundle/merge/merge.ts'
import { readPart, type MergePart } from '../bundle/merge/part.ts'
import { openBundle } from '../bundle/format/open.ts'
import { isStandardOutput, mediumAt, newMediumAt } from '../bundle/media/at.ts'
import { checkTrust } from '../bundle/media/trust.ts'
import { encodeLock } from '../bundle/spec/lock-file.ts'
import { usageError } from '../lib/errors.ts'
import { formatBytes, plural } from '../lib/format.ts'
import type { RandomReader } from '../lib/bytes/bytes.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { awsArgs } from '../cli/flags/aws.ts'
import { networkArgs, openNetwork } from '../cli/flags/network.ts'
import { splitArgs, storageArgs, writeSettings } from '../cli/flags/output.ts'
import { signatureArgs } from '../cli/flags/signing.ts'
import { writtenText } from '../cli/output/written.ts'
import { exportSummary } from '../cli/output/summary.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import { nextSteps } from '../cli/ui/next.ts'

export default defineBundleCommand({
  name: 'merge',
  description:
    'Makes one bundle of several: everything of all of them, what they share once, and a spec and a lock of the whole, ' +
    'so that import writes one override. No registry is contacted. Run the same command again to continue.',
  examples: [
    { command: 'ma-bundle merge base.tar extra.tar --output all.tar', description: 'one thing to carry' },
    {
      command: 'ma-bundle merge base.tar newer.tar -o all.tar --prefer last',
      description: 'where both have a tag, the newer',
    },
    {
      command: 'ma-bundle merge base.tar since-base.tar -o full.tar --fill',
      description: 'a full bundle of one that was exported --since base.tar',
    },
  ],
  dataOnStdout: ({ output }) => isStandardOutput(output),
  args: {
    bundles: { type: 'positional', multiple: true, description: 'Bundles to take everything of' },
    output: {
      type: 'string',
      alias: 'o',
      hint: 'file',
      required: true,
      description: 'Bundle to write: a file, s3://bucket/key, or - for standard output',
    },
    split: splitArgs.split,
    ...volumesArgs,
    ...awsArgs,
    prefer: {
      type: 'enum',
      options: ['first', 'last'],
      description: 'Whose image, chart or file to take where bundles have different ones of one name',
    },
    fill: {
      type: 'boolean',
      description: 'Take only what the last bundle lists, and from the others the blobs it leaves out',
    },
    verifyKey: {
      ...signatureArgs.verifyKey,
      description: 'Public key (PEM) that must have signed each of the bundles',
    },
    requireSignature: signatureArgs.requireSignature,
    ...storageArgs,
    caFile: networkArgs.caFile,
    concurrency: { ...networkArgs.concurrency, description: 'Blobs to copy at a time' },
  },
  async run(args, session) {
    if (args.bundles.length < 2)
      throw usageError('one bundle alone cannot be merged', { next: 'name two or more' })
    const medium = await newMediumAt(args.output, writeSettings(args), session)
    await medium.check()
    const files: RandomReader[] = []
    try {
      const parts: MergePart[] = []
      for (const path of args.bundles) parts.push(await openPart(path))
      const prepared = await prepareMerge(parts, {
        fill: args.fill,
        ...(args.prefer === undefined ? {} : { prefer: args.prefer }),
      })
      const network = await openNetwork({ ...args, ...NO_REGISTRY }, session)
      const started = performance.now()
      const written = await medium.write(prepared, network)
      if (medium.can.sidecar) await medium.writeSidecar('.lock.json', encodeLock(prepared.lock))
      const seconds = (performance.now() - started) / 1000
      const { absent, weights } = prepared
      const { name, size, kept } = written
      const text = writtenText(written, `carry it, then: ma-bundle import ${name} --registry <host>`)
      const absentBytes = absent.reduce((sum, blob) => sum + blob.size, 0)
      const brief = `Wrote ${name}: ${formatBytes(size)}, ${plural(weights.length, 'item')} of ${plural(parts.length, 'bundle')}, in ${seconds.toFixed(1)} s.`
      session.result(
        {
          bundle: name,
          parts: args.bundles.map((path) => basename(path)),
          size,
          kept,
          absent: { count: absent.length, bytes: absentBytes },
          seconds,
          programs: prepared.programs,
          proof: prepared.proof,
          ...text.data,
          roots: weights,
        },
        () =>
          [
            exportSummary(weights, session),
            brief,
            ...(absent.length === 0
              ? []
              : [
                  `It leaves out ${plural(absent.length, 'blob')} (${formatBytes(absentBytes)}) that none of them has; only a registry that has them takes it.`,
                ]),
            ...text.lines,
            ...(text.next === undefined
              ? []
              : [nextSteps([...provenNext(name, prepared.proof.length > 0), text.next], session)]),
            '',
          ].join('\n'),
        brief,
      )
    } finally {
      for (const file of files) await file.close()
    }

    async function openPart(path: string): Promise<MergePart> {
      const place = await mediumAt(path, { ...session, volumes: args.volumes })
      const file = await place.open()
      files.push(file)
      const bundle = await openBundle(file)
      await checkTrust(bundle, place, args)
      return readPart(basename(path), bundle)
    }
  },
})

// --- internal ---

/** It talks to no registry, only to where bundles lie. */
const NO_REGISTRY = { username: [], passwordStdin: false, insecureRegistry: [], clientCert: [] }

const provenNext = (name: string, isProven: boolean): readonly string[] =>
  isProven ? [`what helm showed of each part still holds; prove the whole: ma-bundle prove ${name}`] : []
