import { hideSecrets } from './secrets.ts'

/**
 * Text without what is known to be a secret, or may be one: query strings and user info of URLs, authorization values, AWS keys.
 * A last line of defence where text leaves the program; code that builds a message must not put secrets into it.
 */
export function redact(text: string): string {
  return hideSecrets(text)
    .replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@?#'"]+@/gi, '$1***@')
    .replaceAll(/(^|[\s"'=,([])([^\s"'=,([@/:]+):(?![/]|\d+\/)[^\s"'@]+@(?!sha(?:256|512):)/gi, '$1$2:***@')
    .replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/[^\s?#'"]*)\?[^\s'"]*[^\s'":;,.)]/gi, '$1?***')
    .replaceAll(/\b((?:proxy-)?authorization["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\n]*)/gi, '$1***')
    .replaceAll(/\b(Bearer|Basic)(\s+)[A-Za-z0-9+/_=.~-]{8,}/g, '$1$2***')
    .replaceAll(/\b(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s'"]+/gi, '$1***')
    .replaceAll(/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g, '***')
    .replaceAll(
      /(?<!\/)\b(password|passwd|secret|token|identitytoken)(["']?\s*[:=]\s*["']?)[^\s&"',;]+/gi,
      '$1$2***',
    )
}
