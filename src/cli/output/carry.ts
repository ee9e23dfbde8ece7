import type { ProgramContents } from '../../bundle/format/importer.ts'
import { hexOf } from '../../oci/digest.ts'

/** How a bundle was signed. */
export interface SignedAs {
  /** Name of the signature file. */
  readonly file: string
  readonly algorithm: string
}

/**
 * What is done with a bundle on the other side. Nothing that came with the medium is run before it was checked, with
 * openssl and sha256sum alone: by the signature when there is one, else by the digest that is printed here.
 */
export function carryNext(
  bundle: string,
  program: ProgramContents | undefined,
  signed: SignedAs | undefined,
): string {
  const run = `import ${bundle} --registry <host>${signed === undefined ? '' : ` --verify-key ${KEY}`}`
  const carried = signed === undefined ? 'carry it' : `carry it with ${signed.file}`
  if (program === undefined) return `${carried}, then: ma-bundle ${run}`
  const { path } = program
  const steps =
    signed === undefined
      ? [`tar xf ${bundle} ${path}`, `echo '${hexOf(program.digest)}  ${path}' | sha256sum -c`]
      : [
          ...opensslLines(bundle, signed),
          `tar xf ${bundle} ${path}`,
          `grep ' ${path}$' SHA256SUMS | sha256sum -c`,
        ]
  return `${carried}, then: ${[...steps, `./${path} ${run}`].join(' && ')}`
}

// --- internal ---

const KEY = 'pub.pem'

/** Checks the signature over SHA256SUMS, and leaves both behind. */
function opensslLines(bundle: string, { file, algorithm }: SignedAs): readonly string[] {
  const raw = `${bundle}.sig.raw`
  const verify =
    algorithm === 'Ed25519'
      ? `openssl pkeyutl -verify -pubin -inkey ${KEY} -rawin -in SHA256SUMS -sigfile ${raw}`
      : `openssl dgst -sha256 -verify ${KEY} -signature ${raw} SHA256SUMS`
  return [`tar xOf ${bundle} SHA256SUMS > SHA256SUMS`, `openssl base64 -d -A -in ${file} -out ${raw}`, verify]
}
