import type { Cursor } from './cursor.ts'
import type { ListingWriter } from './listing.ts'

/** A list of another tool, recognised by what is in it. */
export interface ListFormat {
  /** As people call it: `a Hauler manifest`. */
  readonly name: string
  matches(document: Cursor): boolean
  read(document: Cursor, to: ListingWriter): void
}

/** `content.hauler.cattle.io` of `content.hauler.cattle.io/v1`. */
export const groupOf = (document: Cursor): string =>
  (document.get('apiVersion').text ?? '').split('/')[0] ?? ''

export const kindOf = (document: Cursor): string => document.get('kind').text ?? ''

export const textsOf = (list: Cursor): readonly string[] => list.items.flatMap(({ text }) => text ?? [])

/** `oci://host/folder/name` of tools that name the chart itself, as the folder and the chart's name in it. */
export function splitOciUrl(url: string): { readonly repository: string; readonly name: string } | undefined {
  const found = /^(oci:\/\/.+)\/([^/]+)$/.exec(url.replace(/\/+$/, '').replace(/:[^:/]*$/, ''))
  const [, repository, name] = found ?? []
  return repository === undefined || name === undefined ? undefined : { repository, name }
}
