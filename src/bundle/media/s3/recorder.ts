import type { ObjectProgress } from './progress.ts'
import type { ObjectRecord } from './record.ts'

export type RecordAs = (record: ObjectRecord) => Promise<void>

/** Writes the record while the upload goes on, one at a time. */
export interface Recorder {
  arrived(bytes: number): void
  /** Waits until none is being written. */
  rest(): Promise<void>
  /** @throws what kept the record from being written */
  settle(): Promise<void>
}

export function createRecorder(progress: ObjectProgress, recordAs: RecordAs): Recorder {
  let unrecorded = 0
  let writing: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined
  return {
    arrived(bytes) {
      unrecorded += bytes
      if (unrecorded < RECORD_AFTER || writing !== undefined) return
      const record = progress.record()
      // Without a large entry on its way, the parts that are there say all.
      if (record.states.size === 0) return
      unrecorded = 0
      writing = recordAs(record)
        .catch((error: unknown) => void (failure = { error }))
        .finally(() => (writing = undefined))
    },
    async rest() {
      await writing
    },
    async settle() {
      await writing
      if (failure !== undefined) throw failure.error
    },
  }
}

// --- internal ---

/** Together with what is on its way, no more than 64 MiB of a layer are fetched again. */
const RECORD_AFTER = 24 * 1024 * 1024
