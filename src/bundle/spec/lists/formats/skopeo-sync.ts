import type { Cursor } from '../cursor.ts'
import type { ListFormat } from '../format.ts'
import type { ListingWriter } from '../listing.ts'

/** https://github.com/containers/skopeo/blob/main/docs/skopeo-sync.1.md: registries, their repositories, tags. */
export const skopeoSync: ListFormat = {
  name: 'a skopeo sync file',
  matches: (document) => {
    const registries = document.entries
    return (
      registries.length > 0 &&
      registries.every(([host, one]) => HOST.test(host) && one.entries.some(([key]) => KEYS.includes(key)))
    )
  },
  read(document, to) {
    for (const [host, one] of document.entries) {
      for (const [repository, tags] of one.get('images').entries) readTags(`${host}/${repository}`, tags, to)
      for (const key of KEYS.slice(1)) {
        for (const [repository, rule] of one.get(key).entries) {
          leaveTags(`${host}/${repository}`, rule.text ?? key, rule, to)
        }
      }
    }
  },
}

// --- internal ---

const KEYS = ['images', 'images-by-tag-regex', 'images-by-semver']
const HOST = /^[a-z0-9][a-z0-9.-]*(?::\d+)?(?:\/[a-z0-9._/-]+)?$/i

function readTags(name: string, tags: Cursor, to: ListingWriter): void {
  const named = tags.items.filter(({ text }) => text !== undefined)
  for (const tag of named) {
    const text = tag.text ?? ''
    to.image(`${name}${text.startsWith('sha256:') ? '@' : ':'}${text}`, tag.at)
  }
  if (named.length === 0) leaveTags(name, 'all tags', tags, to)
}

const leaveTags = (name: string, rule: string, { at }: Cursor, to: ListingWriter): void =>
  to.leaveOut(
    ['rule for tags', 'rules for tags'],
    `${name} (${rule})`,
    'name the tags: a bundle has exact versions',
    at,
  )
