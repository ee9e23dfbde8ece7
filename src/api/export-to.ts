import type { Prepared } from '../bundle/export/prepared.ts'
import type { Signer } from '../bundle/format/signature.ts'
import { SUMS } from '../bundle/format/sums.ts'
import type { Medium, MediumOptions, WrittenBundle } from '../bundle/media/medium.ts'
import { signOn } from '../bundle/media/trust.ts'
import type { Network } from '../bundle/run/network.ts'
import { encodeLock } from '../bundle/spec/lock-file.ts'
import { BundleError } from '../lib/errors.ts'
import { connect, type NetworkSettings } from '../setup/network.ts'
import { openOlder, type OlderSettings } from '../setup/older.ts'
import { prepareFrom } from '../setup/prepare.ts'
import { createProgramFinder } from '../setup/programs.ts'
import { openSigner } from '../setup/signer.ts'
import type { ImageWish, OnNotice, SourceSettings } from '../setup/source.ts'
import type { ExportResult } from './results.ts'

/** Everything that decides what an export does, but where it goes. */
export interface ExportRequest {
  readonly source: SourceSettings
  readonly network: NetworkSettings
  readonly older: OlderSettings
  /** Copies of this program to carry along: `linux/amd64`, an image of it, and where they may be found. */
  readonly programs: {
    readonly platforms: readonly string[]
    readonly image?: ImageWish | undefined
    readonly from: readonly string[]
  }
  /** A private key, and where the signature goes when not next to the bundle. */
  readonly sign?: { readonly key: string; readonly to?: string | undefined } | undefined
  /** Where the lock goes: next to the bundle unless given, nowhere when it is false. */
  readonly lockOut?: string | false | undefined
}

/** An export that is prepared: nothing is written yet, and everything it takes is open. */
export interface ReadyExport {
  readonly prepared: Prepared
  readonly network: Network
  /** Bytes read of this program by now. */
  readonly programBytes: () => number
  readonly signer: Signer | undefined
  /** Bytes that the earlier bundle has given. */
  readonly reused: () => number
}

/** An export that is done. */
export interface ExportDone {
  readonly prepared: Prepared
  readonly written: WrittenBundle
  readonly signature: { readonly file: string; readonly algorithm: string } | undefined
  /** Bytes from the network, and from the earlier bundle. */
  readonly fetched: number
  readonly reused: number
  readonly seconds: number
}

export interface ExportWays {
  readonly onNotice: OnNotice
  readonly tolerateMissing?: boolean
  /** Where it goes: what a bundle that is there already has is not fetched again. */
  readonly to?: Medium
}

/** Prepares an export, and lets go of everything it takes when `use` ends. */
export async function withExport<Result>(
  request: ExportRequest,
  around: MediumOptions,
  { onNotice, tolerateMissing = false, to }: ExportWays,
  use: (ready: ReadyExport) => Promise<Result>,
): Promise<Result> {
  const older = await openOlder(request.older, around, to)
  let signer: Awaited<ReturnType<typeof openSigner>> | undefined
  try {
    if (request.sign !== undefined)
      signer = await openSigner(request.sign.key, around, request.network.caFiles)
    const { platforms, image, from } = request.programs
    const finder = createProgramFinder(from, around.signal)
    const programs = await finder.find(platforms, '--with-cli')
    const network = await connect(request.network, around, { side: 'source' })
    const beforehand = { ...older, programs, image, finder, tolerateMissing }
    const resolved = await prepareFrom(request.source, around, network, beforehand, onNotice)
    const { prepared, given } = older.reuse(resolved)
    return await use({ prepared, network, programBytes: finder.given, signer, reused: given })
  } finally {
    signer?.close()
    await older.close()
  }
}

/** Exports to a medium: the bundle, its lock, and its signature when a key is given. */
export async function exportTo(
  medium: Medium,
  request: ExportRequest,
  around: MediumOptions,
  onNotice: OnNotice,
): Promise<ExportDone> {
  await medium.check()
  return withExport(
    request,
    around,
    { onNotice, to: medium },
    async ({ prepared, network, programBytes, signer, ...ready }) => {
      const started = performance.now()
      const readBefore = programBytes()
      const written = await medium.write(prepared, network)
      const { lockOut } = request
      // A pipe has nothing beside it.
      if (typeof lockOut === 'string' || (lockOut !== false && medium.can.sidecar))
        await medium.writeSidecar('.lock.json', encodeLock(prepared.lock), lockOut)
      const signature =
        signer === undefined
          ? undefined
          : await sign(medium, written.name, prepared, signer, request.sign?.to)
      const reused = ready.reused()
      return {
        prepared,
        written,
        signature,
        fetched: Math.max(0, written.fetched - reused - (programBytes() - readBefore)),
        reused,
        seconds: (performance.now() - started) / 1000,
      }
    },
  )
}

/** What an export came to, for programs. */
export const exportResult = ({
  prepared,
  written,
  signature,
  fetched,
  reused,
  seconds,
}: ExportDone): ExportResult => ({
  bundle: written.name,
  size: written.size,
  fetched,
  kept: written.kept,
  reused,
  absent: {
    count: prepared.absent.length,
    bytes: prepared.absent.reduce((sum, blob) => sum + blob.size, 0),
  },
  seconds,
  programs: prepared.programs,
  ...(prepared.lock.export?.image === undefined ? {} : { image: prepared.lock.export.image }),
  proof: prepared.proof,
  ...(signature === undefined ? {} : { signature: signature.file }),
  roots: prepared.weights,
})

// --- internal ---

/** A bundle may take long to write: it is there, even if it cannot be signed now. */
async function sign(
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
      next: `${error.next ?? 'fix that'}; then run: ma-bundle sign ${name} --key <key>`,
      cause: error,
    })
  }
}
