import { basename } from 'node:path'
import { prepareMerge } from '../bundle/merge/merge.ts'
import { readPart, type Part } from '../bundle/merge/part.ts'
import { openBundle } from '../bundle/format/open.ts'
import { usageError } from '../lib/errors.ts'
import { formatBytes, plural } from '../lib/format.ts'
import type { RandomReader } from '../lib/bytes/bytes.ts'
import { openBundleFile } from '../cli/media/open-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { networkArgs, openNetwork } from '../cli/flags/network.ts'
import { outputOf } from '../cli/media/output.ts'
import { PIPE } from '../cli/media/pipe.ts'
import { storageArgs } from '../cli/media/s3.ts'
import { checkSignature, signatureArgs } from '../cli/flags/signing.ts'
import { exportSummary } from '../cli/output/summary.ts'
import { splitArgs } from '../cli/media/volumes.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import { nextSteps } from '../cli/ui/next.ts'

export default defineBundleCommand({
  name: 'merge',
  description:
    'Makes one bundle of several: everything of all of them, what they share once, and a spec and a lock of the whole, ' +
    'so that import writes one override. Nothing is asked of any registry. Run the same command again to continue.',
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
  dataOnStdout: ({ output }) => output === PIPE,
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
    const output = outputOf({ ...args, bundle: args.output }, session)
    await output.look?.()
    const files: RandomReader[] = []
    try {
      const parts: Part[] = []
      for (const path of args.bundles) parts.push(await openPart(path))
      const prepared = await prepareMerge(parts, {
        fill: args.fill,
        ...(args.prefer === undefined ? {} : { prefer: args.prefer }),
      })
      const network = await openNetwork({ ...args, ...NO_REGISTRY }, session)
      const started = performance.now()
      const filled = await output.write(prepared, network)
      await output.writeLock(prepared)
      const seconds = (performance.now() - started) / 1000
      const { absent, weights } = prepared
      const { size, kept } = filled
      const told = output.told?.()
      const name = told?.name ?? output.name
      const absentBytes = absent.reduce((sum, blob) => sum + blob.size, 0)
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
          ...told?.data,
          roots: weights,
        },
        () =>
          [
            exportSummary(weights, session),
            `Wrote ${name}: ${formatBytes(size)}, ${plural(weights.length, 'item')} of ${plural(parts.length, 'bundle')}, in ${seconds.toFixed(1)} s.`,
            ...(absent.length === 0
              ? []
              : [
                  `It leaves out ${plural(absent.length, 'blob')} (${formatBytes(absentBytes)}) that none of them has; only a registry that has them takes it.`,
                ]),
            ...(told?.lines ?? []),
            ...(args.output === PIPE
              ? []
              : [
                  nextSteps(
                    [...provenNext(name, prepared.proof.length > 0), told?.next ?? importNext(name)],
                    session,
                  ),
                ]),
            '',
          ].join('\n'),
      )
    } finally {
      for (const file of files) await file.close()
    }

    async function openPart(path: string): Promise<Part> {
      const file = await openBundleFile(path, { ...session, volumes: args.volumes })
      files.push(file)
      const bundle = await openBundle(file)
      await checkSignature(bundle, { ...args, bundle: path, signature: `${path}.sig` }, session)
      return readPart(basename(path), bundle)
    }
  },
})

// --- internal ---

/** It talks to no registry, only to where bundles lie. */
const NO_REGISTRY = { username: [], passwordStdin: false, insecureRegistry: [], clientCert: [] }

const provenNext = (name: string, isProven: boolean): readonly string[] =>
  isProven ? [`what helm showed of each part still holds; prove the whole: ma-bundle prove ${name}`] : []

const importNext = (name: string): string => `carry it, then: ma-bundle import ${name} --registry <host>`
