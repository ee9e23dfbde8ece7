import type { ArgsDef } from '../args/flags.ts'

/** Flags of every command that uses what is in a bundle. A site insists by `require-signature: true` in its config file or environment. */
export const signatureArgs = {
  verifyKey: {
    type: 'string',
    hint: 'file',
    description: 'Public key (PEM, Ed25519 or ECDSA P-256) that must have signed the bundle',
  },
  signature: {
    type: 'string',
    hint: 'file',
    description: 'Where its signature is, when not beside it as <bundle>.sig',
  },
  requireSignature: { type: 'boolean', description: 'Refuse to run without --verify-key' },
} as const satisfies ArgsDef

/** The same for commands that read several bundles, or one by the way: each has its signature beside it. */
export const eachSignatureArgs = {
  verifyKey: {
    ...signatureArgs.verifyKey,
    description: 'Public key (PEM, Ed25519 or ECDSA P-256) that must have signed each bundle that is read',
  },
  requireSignature: signatureArgs.requireSignature,
} as const satisfies ArgsDef
