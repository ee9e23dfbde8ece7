import { EcrError } from './errors.ts'

/** A page of a list and the opaque token of the next one. @throws InvalidParameterException for a made-up token */
export function page<T>(
  all: readonly T[],
  token: string | undefined,
  size: number,
): { readonly items: readonly T[]; readonly next: string | undefined } {
  const start = token === undefined ? 0 : startOf(token)
  const end = start + size
  return {
    items: all.slice(start, end),
    next: end < all.length ? Buffer.from(JSON.stringify({ start: end })).toString('base64') : undefined,
  }
}

// --- internal ---

function startOf(token: string): number {
  const match = /^\{"start":(\d+)\}$/.exec(Buffer.from(token, 'base64').toString())
  if (match === null) throw new EcrError('InvalidParameterException', "Invalid parameter at 'nextToken'")
  return Number(match[1])
}
