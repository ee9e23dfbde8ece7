import { usageError } from '../lib/errors.ts'

/** https://github.com/opencontainers/image-spec/blob/main/image-index.md (property `platform`) */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly 'os.version'?: string
}

const PART = /^[a-z0-9_.-]+$/i

/**
 * Parses `os/architecture[/variant]`, as docker and crane spell it.
 * @throws a usage error
 */
export function parsePlatform(text: string): Platform {
  const parts = text.trim().split('/')
  const [os, architecture, variant] = parts
  if (
    os === undefined ||
    architecture === undefined ||
    parts.length > 3 ||
    !parts.every((part) => PART.test(part))
  ) {
    throw usageError(`not a platform: "${text}"`, {
      next: 'write os/architecture, as in linux/amd64 or linux/arm/v7',
    })
  }
  return { os, architecture: normalise(architecture), ...(variant === undefined ? {} : { variant }) }
}

export const formatPlatform = (platform: Platform): string =>
  [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/')

/**
 * Whether an image for `offered` runs where `wanted` is asked for. A wanted platform without a variant takes any;
 * `arm64` and `arm64/v8` are one and the same (containerd's normalisation).
 */
export function matchesPlatform(wanted: Platform, offered: Platform): boolean {
  if (wanted.os !== offered.os || wanted.architecture !== normalise(offered.architecture)) return false
  if (wanted.variant === undefined) return true
  const variant = offered.variant ?? defaultVariant(offered.architecture)
  return wanted.variant === variant
}

/** BuildKit lists attestations as children of the index for `unknown/unknown`. */
export const isUnknownPlatform = (platform: Platform | undefined): boolean =>
  platform?.os === 'unknown' && platform.architecture === 'unknown'

// --- internal ---

function normalise(architecture: string): string {
  if (architecture === 'x86_64') return 'amd64'
  return architecture === 'aarch64' ? 'arm64' : architecture
}

function defaultVariant(architecture: string): string | undefined {
  if (architecture === 'arm64') return 'v8'
  return architecture === 'arm' ? 'v7' : undefined
}
