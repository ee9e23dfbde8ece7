import manifest from '../../../package.json' with { type: 'json' }
import { anatomyOf } from '../../bundle/inspect/sizes.ts'
import { pairChanges } from '../../bundle/inspect/changes.ts'
import type { BundleDiff } from '../../bundle/inspect/diff.ts'
import type { Bundle } from '../../bundle/format/open.ts'
import { htmlReport } from '../html/page.ts'
import type { PageData } from '../html/page-data.ts'
import type { SignatureState } from '../../bundle/media/trust.ts'
import { writeWhole } from '../../lib/bytes/write-whole.ts'

/** What a page is about. */
export interface Subject {
  /** File name of the bundle. */
  readonly name: string
  readonly bundle: Bundle
  /** Bytes of the file. */
  readonly size: number
  readonly signature: SignatureState
  readonly compared?: { readonly file: string; readonly diff: BundleDiff } | undefined
}

/** Writes the page, whole or not at all. */
export const writeHtmlReport = async (file: string, subject: Subject): Promise<void> =>
  writeWhole(file, htmlReport(await pageOf(subject), subject.bundle.roots), 'page')

// --- internal ---

async function pageOf({ name, bundle, size, signature, compared }: Subject): Promise<PageData> {
  return {
    file: name,
    anatomy: await anatomyOf(bundle, size, `ma-bundle ${manifest.version}`),
    signature,
    ...(compared === undefined ? {} : { since: sinceOf(compared.file, compared.diff) }),
  }
}

const sinceOf = (file: string, { changes, same, bytes }: BundleDiff): NonNullable<PageData['since']> => ({
  file,
  changes: pairChanges(changes),
  same,
  ...(bytes === undefined ? {} : { bytes }),
})
