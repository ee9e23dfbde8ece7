import { redact } from '../../lib/redact.ts'
import type { RegistryEvent } from '../../registry/events.ts'

/** What a root of a bundle is: the unit people list, count and read errors about. */
export type RootKind = 'image' | 'chart' | 'file'

/**
 * The steps of a run, in order; `transfer` and `check` count bytes, the others items. `prove` renders charts, `check`
 * reads back what was written.
 */
export type Phase = 'resolve' | 'prove' | 'transfer' | 'check' | 'finish'

/** Everything export, import and the other journeys report while they run. Rendered by the command layer only. */
export type BundleEvent =
  | { readonly type: 'phase'; readonly phase: Phase; readonly items: number; readonly bytes: number }
  /** One more root is known by digest (`resolve`), or settled at the destination (`finish`). */
  | {
      readonly type: 'root'
      readonly phase: Phase
      readonly kind: RootKind
      /** As the spec names it. */
      readonly name: string
      readonly outcome: 'resolved' | 'pushed' | 'unchanged' | 'failed'
      readonly digest?: string
    }
  /** A transfer begins; `id` is its digest or file name, `name` what a person calls it. */
  | {
      readonly type: 'transfer'
      readonly id: string
      readonly name: string
      readonly size: number
    }
  /** `done` bytes of the transfer are there. May fall back when a body has to be started again. */
  | { readonly type: 'progress'; readonly id: string; readonly done: number }
  | {
      readonly type: 'transferred'
      readonly id: string
      readonly outcome: 'copied' | 'exists' | 'mounted' | 'failed'
      /** Bytes this transfer stood for in the total of its phase. */
      readonly size: number
    }
  | { readonly type: 'warning'; readonly message: string; readonly where?: string; readonly next?: string }
  | RegistryEvent

/** Words of a registry may carry a presigned URL; they leave the program here. */
export function redacted(event: BundleEvent): BundleEvent {
  switch (event.type) {
    case 'warning':
      return {
        ...event,
        message: redact(event.message),
        ...(event.where === undefined ? {} : { where: redact(event.where) }),
      }
    case 'retry':
      return { ...event, what: redact(event.what), reason: redact(event.reason) }
    case 'throttle':
      return { ...event, reason: redact(event.reason) }
    default:
      return event
  }
}
