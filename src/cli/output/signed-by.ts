import type { CheckedSignature } from '../../bundle/media/trust.ts'

/** For the JSON of a result: whose signature was found right, and what it covers. */
export const signedByData = (
  signed: CheckedSignature | undefined,
): { readonly signedBy?: CheckedSignature } => (signed === undefined ? {} : { signedBy: signed })

/** The same as a line of text; none when no signature was checked. */
export const signedByLines = (signed: CheckedSignature | undefined): readonly string[] =>
  signed === undefined
    ? []
    : [
        `The signature is valid: ${signed.algorithm} key ${signed.fingerprint} (${signed.key}); it covers all ${signed.covers} entries.`,
      ]
