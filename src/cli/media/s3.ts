import { basename } from 'node:path'
import { encodeLock } from '../../bundle/spec/lock-file.ts'
import type { Prepared } from '../../bundle/export/prepared.ts'
import { abortObject, exportObject, readRecord } from '../../bundle/media/s3/export.ts'
import type { Session as Journey } from '../../bundle/run/network.ts'
import { algorithmOf, signBytes, type Signer } from '../../bundle/format/signature.ts'
import { SUMS } from '../../bundle/format/sums.ts'
import { isS3 } from '../../aws/s3/location.ts'
import type { S3Storage } from '../../aws/s3/object.ts'
import { usageError } from '../../lib/errors.ts'
import { writeBeside } from './sidecar.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import type { Output } from './medium.ts'
import type { PipeArgs } from './pipe.ts'
import { s3At } from './s3-options.ts'
import type { Session } from '../session.ts'
import { isSplit, type SplitArgs } from './volumes.ts'

/** How an object in S3 is to be kept. */
export const storageArgs = {
  sse: {
    type: 'enum',
    options: ['AES256', 'aws:kms'],
    description: 'Encryption of what is written to S3, when not that of the bucket',
  },
  sseKmsKey: {
    type: 'string',
    hint: 'arn|alias',
    description: 'KMS key for what is written to S3; with it, --sse is aws:kms',
  },
  storageClass: {
    type: 'string',
    hint: 'class',
    description:
      'Storage class of the bundle in S3, as in STANDARD_IA; a bundle in GLACIER cannot be read at once',
  },
} as const satisfies ArgsDef

/** Flags of an export into S3. */
export const s3Args = {
  ...storageArgs,
  abort: {
    type: 'boolean',
    description:
      'Give up an unfinished export to S3: delete the parts it left, which cost money; nothing else happens',
  },
} as const satisfies ArgsDef

export type StorageArgs = Args<typeof storageArgs>

/** @throws a usage error for settings that contradict each other, or that are for S3 when the bundle is not */
export function storageOf({ sse, sseKmsKey, storageClass }: StorageArgs, isS3: boolean): S3Storage {
  if (!isS3 && (sse ?? sseKmsKey ?? storageClass) !== undefined)
    throw usageError('--sse, --sse-kms-key and --storage-class are for bundles in S3: s3://bucket/key')
  if (sse === 'AES256' && sseKmsKey !== undefined)
    throw usageError('--sse AES256 and --sse-kms-key exclude each other')
  const encryption = sseKmsKey === undefined ? sse : 'aws:kms'
  return {
    ...(encryption === undefined ? {} : { ServerSideEncryption: encryption }),
    ...(sseKmsKey === undefined ? {} : { SSEKMSKeyId: sseKmsKey }),
    ...(storageClass === undefined ? {} : { StorageClass: storageClass }),
  }
}

/** Deletes what an unfinished export to S3 left. */
export async function abandon(bundle: string, session: Session): Promise<void> {
  if (!isS3(bundle)) throw usageError('--abort is for exports to S3: s3://bucket/key')
  const there = await abortObject(s3At(bundle, session))
  session.result(
    { bundle, aborted: there },
    there
      ? `Deleted the parts that an export to ${bundle} had left.\n`
      : `No export to ${bundle} is unfinished.\n`,
  )
}

/** An object in S3, with lock and signature beside it. */
export function s3Output(
  args: StorageArgs & SplitArgs & Pick<PipeArgs, 'signatureOut'>,
  session: Session,
): Output {
  if (isSplit(args)) throw usageError('a bundle in S3 is one object; --split is for volumes to be carried')
  const storage = storageOf(args, true)
  const { s3, location } = s3At(args.bundle, session)
  // Small things are read at once, whatever the bundle's class is.
  const { StorageClass: _, ...small } = storage
  return {
    name: location.name,
    // Whether the bucket is there and these credentials are known in it.
    look: async () => void (await readRecord(s3, location)),
    write: ({ plan }: Prepared, network: Journey) => exportObject({ s3, location, storage }, plan, network),
    writeLock: ({ lock }: Prepared) =>
      writeBeside(`${args.bundle}.lock.json`, encodeLock(lock), 'lock', session, small),
    told: () => ({
      name: location.name,
      data: {},
      lines: [],
      next: `inside, with nothing to carry: ma-bundle import ${location.name} --registry <host>`,
    }),
    async sign({ plan }: Prepared, signer: Signer) {
      const file = args.signatureOut ?? `${args.bundle}.sig`
      const text = await signBytes(plan.ready.get(SUMS) ?? new Uint8Array(), signer)
      await writeBeside(file, text, 'signature', session, small)
      return { file: basename(file), algorithm: algorithmOf(signer.publicKey) }
    },
  }
}
