import { settled } from '../../../lib/bytes/buffers.ts'
import { createDocuments, type RenderedDocument } from './documents.ts'

/** What helm printed. */
export interface HelmOutput {
  readonly ok: true
  readonly documents: readonly RenderedDocument[]
}

/**
 * Keeps what many renders of one chart print, compressed, as they differ little and few are read again. The
 * objects of the last ones stay parsed.
 */
export function createOutputs(): (text: string) => HelmOutput {
  const read = createDocuments()
  const recent = new Map<object, readonly RenderedDocument[]>()
  return (text) => {
    const packed = Bun.zstdCompressSync(text, { level: 1 })
    return {
      ok: true,
      // Whether a chart renders at all is often all that matters.
      get documents() {
        const before = recent.get(packed)
        const documents = before ?? read(new TextDecoder().decode(Bun.zstdDecompressSync(packed)))
        if (before === undefined) settled()
        recent.delete(packed)
        recent.set(packed, documents)
        const [oldest] = recent.keys()
        if (recent.size > RECENT && oldest !== undefined) recent.delete(oldest)
        return documents
      },
    }
  }
}

// --- internal ---

const RECENT = 2
