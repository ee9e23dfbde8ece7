/** One way to authenticate that a `WWW-Authenticate` header offers. https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1 */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string
  /** Names in lower case. */
  readonly params: Readonly<Record<string, string>>
}

/**
 * All challenges of a header, several of which may be joined by commas (quay.io has sent `Basic …, Bearer …`), as may
 * be the parameters of each. A malformed rest is left out.
 */
export function parseChallenges(header: string | null): readonly Challenge[] {
  const found: { scheme: string; params: Record<string, string> }[] = []
  let rest = header ?? ''
  while ((rest = rest.replace(/^[\s,]+/, '')) !== '') {
    const param = PARAM.exec(rest)
    const last = found.at(-1)
    if (param !== null && last !== undefined) {
      const [whole, name = '', quoted, bare] = param
      last.params[name.toLowerCase()] ??= quoted === undefined ? (bare ?? '') : quoted.replace(/\\(.)/g, '$1')
      rest = rest.slice(whole.length)
      continue
    }
    const scheme = SCHEME.exec(rest)
    if (scheme === null) break
    found.push({ scheme: (scheme[1] ?? '').toLowerCase(), params: {} })
    rest = rest.slice(scheme[0].length)
  }
  return found
}

// --- internal ---

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const PARAM = new RegExp(`^(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s,"]*))`)
/** A scheme, and a token68 behind it (`Negotiate YII=`), which no registry needs. */
const SCHEME = new RegExp(`^(${TOKEN})(?:\\s+[A-Za-z0-9._~+/-]+=*(?=\\s*(?:,|$)))?`)
