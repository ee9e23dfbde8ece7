/** Set by `bun build --define`; the source run as it is has none. */
declare const MA_BUNDLE_BUILD: string | undefined

/** What a compiled program is. */
export interface Build {
  /** Of package.json. */
  readonly version: string
  /** `linux/amd64` */
  readonly platform: string
}

/**
 * A text that stands in every compiled program, so that another one can tell from the file alone what it is:
 * `ma-bundle-build 0.1.0 linux/amd64;`
 */
export const buildMark = ({ version, platform }: Build): string => `ma-bundle-build ${version} ${platform};`

/** More bytes than any mark has. */
export const MARK_LIMIT = 120

/** The mark in a piece of a file; undefined when there is none. */
export function findBuildMark(bytes: Uint8Array): Build | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = buffer.indexOf(PREFIX); at >= 0; at = buffer.indexOf(PREFIX, at + 1)) {
    const [, version, platform] = MARK.exec(buffer.toString('latin1', at, at + MARK_LIMIT)) ?? []
    if (version !== undefined && platform !== undefined) return { version, platform }
  }
  return undefined
}

/** What this program is; undefined when it runs from source. */
export const thisBuild = (): Build | undefined =>
  typeof MA_BUNDLE_BUILD === 'undefined' ? undefined : findBuildMark(Buffer.from(MA_BUNDLE_BUILD))

// --- internal ---

const PREFIX = 'ma-bundle-build '
const MARK = /^ma-bundle-build (\d[0-9A-Za-z.+-]{0,60}) (linux\/[a-z0-9]{1,20});/
