import { basename } from 'node:path'
import { verifyBundle } from '../bundle/verify/verify.ts'
import { integrityError } from '../lib/errors.ts'
import { openBundle } from '../bundle/format/open.ts'
import { signedBytes } from '../bundle/format/signature.ts'
import { mediumAt } from '../bundle/media/at.ts'
import type { Medium } from '../bundle/media/medium.ts'
import { checkSignature, signOn, type SignatureOptions } from '../bundle/media/trust.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { awsArgs } from '../cli/flags/aws.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { openSigner } from '../setup/signer.ts'
import { eachSignatureArgs } from '../cli/flags/signing.ts'
import type { CommandSession } from '../cli/session.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import { writeWhole } from '../lib/bytes/write-whole.ts'

export default defineBundleCommand({
  name: 'sign',
  description:
    'Signs a bundle with your key, after every byte of it was checked. The signature goes into a small file ' +
    'next to it and covers all of its bytes; cosign verify-blob and openssl can check it too.',
  examples: [
    { command: 'ma-bundle sign bundle.tar --key key.pem', description: 'writes bundle.tar.sig' },
    {
      command: 'ma-bundle sign bundle.tar --key awskms:///alias/bundles --public-key-out pub.pem',
      description: 'with a key in AWS KMS',
    },
    {
      command: 'ma-bundle import bundle.tar --registry <host> --verify-key pub.pem',
      description: 'takes nothing that this key has not signed',
    },
  ],
  args: {
    bundle: { type: 'positional', description: 'Bundle to sign' },
    key: {
      type: 'string',
      required: true,
      hint: 'file|awskms://…',
      description: 'Private key (PEM, Ed25519 or ECDSA P-256), or one in AWS KMS: awskms:///alias/<name>',
    },
    publicKeyOut: {
      type: 'string',
      hint: 'file',
      description: 'Write the public half here (PEM), for recipients: --verify-key',
    },
    output: { type: 'string', hint: 'file', description: 'Where to write it; <bundle>.sig by default' },
    ...volumesArgs,
    ...awsArgs,
    verifyKey: {
      ...eachSignatureArgs.verifyKey,
      description: 'With --require-signature: public key (PEM) that must have signed the bundle already',
    },
    requireSignature: eachSignatureArgs.requireSignature,
    concurrency: { type: 'integer', min: 1, max: 64, default: 8, description: 'Entries to check at a time' },
    caFile: networkArgs.caFile,
  },
  async run(args, session) {
    const name = basename(args.bundle)
    const signer = await openSigner(args.key, session, args.caFile)
    try {
      const medium = await mediumAt(args.bundle, { ...session, volumes: args.volumes })
      const sums = await checkedSums(medium, args, session)
      const { file, algorithm } = await signOn(medium, sums, signer, args.output)
      const pem = signer.publicKey.export({ type: 'spki', format: 'pem' })
      if (args.publicKeyOut !== undefined) await writeWhole(args.publicKeyOut, pem, 'public key')
      const publicKey = args.publicKeyOut === undefined ? undefined : basename(args.publicKeyOut)
      session.result(
        {
          bundle: name,
          signature: file,
          algorithm,
          ...(publicKey === undefined ? {} : { publicKey }),
        },
        `Signed with ${algorithm}: ${file}. Check it anywhere: ma-bundle verify ${name} --verify-key ${publicKey ?? '<public key>'}\n`,
      )
    } finally {
      signer.close()
    }
  },
})

// --- internal ---

/** What is signed, once every byte of the bundle was compared with it. */
async function checkedSums(
  medium: Medium,
  { concurrency, ...trust }: SignatureOptions & { readonly concurrency: number },
  session: CommandSession,
): Promise<Uint8Array> {
  const file = await medium.open()
  try {
    const { damaged } = await verifyBundle(file, { ...session, concurrency })
    if (damaged.length === 0) {
      const bundle = await openBundle(file)
      // Most are signed here for the first time; a site may want another's signature before its own.
      if (trust.requireSignature === true) await checkSignature(bundle, medium, trust)
      return signedBytes(bundle)
    }
    throw integrityError(`${damaged.length} entries are damaged; nothing was signed`, {
      where: medium.name,
      next: 'see them with: ma-bundle verify',
    })
  } finally {
    await file.close()
  }
}
