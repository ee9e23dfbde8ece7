import { basename } from 'node:path'
import { verifyBundle } from '../bundle/verify.ts'
import { integrityError } from '../lib/errors.ts'
import { openBundleFile } from './bundle-file.ts'
import { defineBundleCommand } from './command.ts'
import { readPrivateKey, signFile } from './signing.ts'

export default defineBundleCommand({
  name: 'sign',
  description:
    'Signs a bundle with a key of yours, after every byte of it was checked. The signature goes into a small file ' +
    'beside it and stands for all of its bytes; cosign verify-blob and openssl can check it too.',
  examples: [
    { command: 'ma-bundle sign bundle.tar --key key.pem', description: 'writes bundle.tar.sig' },
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
      hint: 'file',
      description: 'Private key (PEM, Ed25519 or ECDSA P-256)',
    },
    output: { type: 'string', hint: 'file', description: 'Where to write it; <bundle>.sig unless told' },
    concurrency: { type: 'integer', min: 1, max: 64, default: 8, description: 'Entries to check at a time' },
  },
  async run(args, session) {
    const key = await readPrivateKey(args.key)
    const file = await openBundleFile(args.bundle, session)
    try {
      const { damaged } = await verifyBundle(file, { ...session, concurrency: args.concurrency })
      if (damaged.length > 0) {
        throw integrityError(`${damaged.length} entries are damaged; nothing was signed`, {
          where: basename(args.bundle),
          next: 'see them with: ma-bundle verify',
        })
      }
    } finally {
      await file.close()
    }
    const signed = await signFile(args.bundle, key, session, args.output)
    session.result(
      { bundle: basename(args.bundle), signature: signed.file, algorithm: signed.algorithm },
      `Signed with ${signed.algorithm}: ${signed.file}. Check it anywhere: ma-bundle verify ${basename(args.bundle)} --verify-key <public key>\n`,
    )
  },
})
