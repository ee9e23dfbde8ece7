import { BundleError, usageError } from '../../../lib/errors.ts'
import { redact } from '../../../lib/redact.ts'
import { isDigest, parseDigest } from '../../../oci/digest.ts'
import { parsePlatform, type Platform } from '../../../oci/platform.ts'
import { formatReference, parseReference, type Reference } from '../../../oci/reference.ts'
import type { ImageFile } from '../local/image-file.ts'
import { isLocal } from '../read.ts'
import type { SpecChart, SpecFile, SpecImage } from '../spec.ts'
import { chartFault } from './chart-names.ts'
import { templateIn, withoutPrefix } from './image-text.ts'

/** Where something is listed; `line` counts from 1, and is absent for what has none, as arguments. */
export interface ListPlace {
  readonly file: string
  readonly line?: number
}

interface Listed {
  readonly at: ListPlace
  /** The group it belongs to; absent for the list's own. */
  readonly group?: string
}

/** What a list of another tool names, each with its place. */
export interface Listing {
  readonly images: readonly (Listed & { readonly image: SpecImage })[]
  readonly charts: readonly (Listed & { readonly chart: SpecChart })[]
  readonly files: readonly (Listed & { readonly file: SpecFile })[]
  readonly notTaken: readonly NotTaken[]
  readonly problems: readonly ListProblem[]
}

/** Something that a bundle does not carry, by name. */
export interface NotTaken {
  /** Its kind, one and several: `['operator catalog', 'operator catalogs']`. */
  readonly what: readonly [string, string]
  readonly name: string
  /** What to do about it, or why it is so. */
  readonly why: string
  readonly at: ListPlace
}

export interface ListProblem {
  readonly at: ListPlace
  readonly message: string
}

export interface ImageFacts {
  readonly platforms?: readonly string[]
  /** The name that others know it by. */
  readonly as?: string
  readonly group?: string
}

export interface ChartFacts {
  readonly name: string | undefined
  /** Exact; absent in lists that leave it open. */
  readonly version: string | undefined
  readonly repository: string | undefined
  /** Where it is on this machine, when the list's own folder does not tell. */
  readonly local?: string
  readonly group?: string
}

/** What the reader of a format writes into. Whatever is wrong is noted, and reading goes on. */
export interface ListingWriter {
  image(text: string | undefined, at: ListPlace, facts?: ImageFacts): void
  /** An image that lies in a file, under the name that others know it by. */
  imageIn(file: ImageFile, as: string, at: ListPlace): void
  chart(facts: ChartFacts, at: ListPlace): void
  file(name: string | undefined, url: string | undefined, at: ListPlace, sha256?: string): void
  leaveOut(what: NotTaken['what'], name: string, why: string, at: ListPlace): void
  problem(at: ListPlace, message: string): void
  readonly listing: Listing
}

export const placeText = ({ file, line }: ListPlace): string =>
  line === undefined ? file : `${file}:${line}`

/** @param localPath finds a path of the list on this machine; without it local things cannot be taken */
export function createListing(localPath?: (path: string) => string): ListingWriter {
  const images: Listing['images'][number][] = []
  const charts: Listing['charts'][number][] = []
  const files: Listing['files'][number][] = []
  const notTaken: NotTaken[] = []
  const problems: ListProblem[] = []
  const problem = (at: ListPlace, message: string): void => {
    problems.push({ at, message: redact(message) })
  }
  const parsed = <T>(at: ListPlace, parse: () => T): T | undefined => {
    try {
      return parse()
    } catch (error) {
      if (!(error instanceof BundleError)) throw error
      problem(at, error.message)
      return undefined
    }
  }
  const groupOf = (group: string | undefined) => (group === undefined ? {} : { group })
  return {
    image(text, at, { platforms, as, group } = {}) {
      if (text === undefined) return problem(at, 'an image has no name')
      const reference = parsed(at, () => referenceOf(text))
      if (reference === undefined) return
      const known = as === undefined ? undefined : parsed(at, () => referenceOf(as))
      const wanted = platforms?.flatMap((one): Platform[] => {
        const platform = parsed(at, () => parsePlatform(one))
        return platform === undefined ? [] : [platform]
      })
      const image = {
        reference,
        allowMissingPlatforms: false,
        ...(wanted === undefined || wanted.length === 0 ? {} : { platforms: wanted }),
        ...(known === undefined || formatReference(known) === formatReference(reference)
          ? {}
          : { as: known }),
      }
      images.push({ image, at, ...groupOf(group) })
    },
    imageIn(file, as, at) {
      const reference = parsed(at, () => referenceOf(as))
      if (reference !== undefined)
        images.push({ image: { reference, file, allowMissingPlatforms: false }, at })
    },
    chart({ name, version, repository, local: given, group }, at) {
      const fault = chartFault({ name, version, repository })
      if (fault !== undefined) return problem(at, fault)
      if (name === undefined || version === undefined || repository === undefined) return
      const local = given ?? (isLocal(repository) ? localPath?.(repository) : undefined)
      const chart = { name, version, repository, key: name, ...(local === undefined ? {} : { local }) }
      charts.push({ chart, at, ...groupOf(group) })
    },
    file(name, url, at, sha256) {
      const path = (url ?? '').replace(/[?#].*$/, '')
      const shown = (name ?? path.split('/').at(-1) ?? '').replaceAll(/[^a-zA-Z0-9._-]/g, '-')
      if (!/^https?:\/\/[^\s@]+$/.test(url ?? '')) {
        const why = 'only files with an address are carried: put it beside the bundle'
        return this.leaveOut(['local file', 'local files'], shown || String(url), why, at)
      }
      const hex = sha256?.replace(/^sha256:/, '')
      const digest = hex === undefined ? undefined : parsed(at, () => parseDigest(`sha256:${hex}`))
      files.push({
        file: {
          name: shown === '' ? 'file' : shown,
          url: url ?? '',
          ...(digest === undefined ? {} : { digest }),
        },
        at,
      })
    },
    leaveOut: (what, name, why, at) => void notTaken.push({ what, name: redact(name), why, at }),
    problem,
    listing: { images, charts, files, notTaken, problems },
  }
}

// --- internal ---

/** @throws a usage error that names the part to fill in, for what is a template */
function referenceOf(written: string): Reference {
  const text = withoutPrefix(written)
  const template = templateIn(text)
  if (template !== undefined) {
    throw usageError(`"${text.slice(0, 200)}" is a template: ${template} has to be filled in first`)
  }
  const digest = /^(.+)@(sha256:.+)$/.exec(text)
  if (digest?.[2] !== undefined && !isDigest(digest[2]) && /^sha256:[0-9a-f]{7,63}$/.test(digest[2]))
    throw usageError(`"${text.slice(0, 200)}" has a digest that was cut short`)
  return parseReference(text)
}
