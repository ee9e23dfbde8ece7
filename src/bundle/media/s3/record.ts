import { parseObject } from '../../../oci/manifest.ts'
import { isMidstate, type Midstate } from './resumable-sha256.ts'

/** What an unfinished export leaves beside the object, as `<key>.partial`, so that the next run can go on. */
export interface ObjectRecord {
  readonly uploadId: string
  /** sha256 over bundle.json and the borders of the parts: only the same plan goes on. */
  readonly plan: string
  /** By byte of the archive: the state of the sha256 of the entry that lies across it. */
  readonly states: ReadonlyMap<number, Midstate>
  /** The sha256 that S3 will have of the object; there once all parts are. */
  readonly sha256?: string
}

export function encodeRecord({ uploadId, plan, states, sha256 }: ObjectRecord): string {
  const document = {
    about: ABOUT,
    uploadId,
    plan,
    states: Object.fromEntries(states),
    ...(sha256 === undefined ? {} : { sha256 }),
  }
  return `${JSON.stringify(document, undefined, 2)}\n`
}

/** @returns nothing for what is no record of ours: another program's object of that name */
export function decodeRecord(text: string): ObjectRecord | undefined {
  const { about, uploadId, plan, states, sha256 } = parseObject(new TextEncoder().encode(text)) ?? {}
  if (about !== ABOUT || typeof uploadId !== 'string' || typeof plan !== 'string') return undefined
  const known = Object.entries(typeof states === 'object' && states !== null ? states : {}).flatMap(
    ([at, state]: [string, unknown]): [number, Midstate][] =>
      isMidstate(state) ? [[Number(at), state]] : [],
  )
  return { uploadId, plan, states: new Map(known), ...(typeof sha256 === 'string' ? { sha256 } : {}) }
}

// --- internal ---

const ABOUT = 'an unfinished export of ma-bundle; the same command resumes it, and --abort cancels it'
