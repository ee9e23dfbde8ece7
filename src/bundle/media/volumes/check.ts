import { release } from '../../../lib/bytes/buffers.ts'
import type { RandomReader } from '../../../lib/bytes/bytes.ts'
import type { Emit } from '../../../lib/events.ts'
import type { SealedVolume } from '../../../archive/volumes/volume.ts'
import type { Digest } from '../../../oci/digest.ts'
import type { BundleEvent } from '../../run/events.ts'

export interface VolumeCheckOptions {
  readonly emit: Emit<BundleEvent>
  readonly signal: AbortSignal
}

/** What a volume is, and what the list of the volumes says it is. */
export interface VolumeState {
  readonly size: number
  readonly digest: Digest
  /** Why it is not the one that is listed; undefined when it is. */
  readonly reason?: string
}

/** Reads one volume whole, without any of the others, and compares it with its line in the list. */
export async function checkVolume(
  file: RandomReader,
  listed: Pick<SealedVolume, 'size' | 'digest'>,
  name: string,
  options: VolumeCheckOptions,
): Promise<VolumeState> {
  const { size } = file
  const digest = await digestOfVolume(file, name, options)
  if (size !== listed.size)
    return { size, digest, reason: `it has ${size} bytes, and ${listed.size} are listed` }
  if (digest !== listed.digest)
    return { size, digest, reason: `its digest is ${digest}, and ${listed.digest} is listed` }
  return { size, digest }
}

/** Reads all of it. */
export async function digestOfVolume(
  file: RandomReader,
  name: string,
  { emit, signal }: VolumeCheckOptions,
): Promise<Digest> {
  const { size } = file
  const hasher = new Bun.CryptoHasher('sha256')
  emit({ type: 'phase', phase: 'check', items: 1, bytes: size })
  emit({ type: 'transfer', id: name, name, size })
  let done = 0
  for await (const chunk of file.read(0, size)) {
    signal.throwIfAborted()
    hasher.update(chunk)
    done += chunk.length
    emit({ type: 'progress', id: name, done })
    release(chunk)
  }
  emit({ type: 'transferred', id: name, outcome: 'copied', size })
  return `sha256:${hasher.digest('hex')}`
}
