import { usageError } from '../../lib/errors.ts'

/** A key in AWS KMS, as it is written on the command line. */
export interface KmsKeyName {
  /** Key id, `alias/…` or ARN, as the API takes it. */
  readonly keyId: string
  /** Of an API that is not where AWS has it. */
  readonly endpoint?: string
  /** When an ARN says it. */
  readonly region?: string
}

export const KMS_SCHEME = 'awskms://'

/**
 * Reads `awskms:///<id>`, `awskms:///alias/<name>` and `awskms:///<arn>`, each also with an endpoint between the second
 * and the third slash, as cosign writes them: https://docs.sigstore.dev/cosign/key_management/overview/
 * @throws a usage error for anything else
 */
export function parseKmsKey(text: string): KmsKeyName {
  const [, host = '', keyId = ''] = FORM.exec(text) ?? []
  const region = ARN.exec(keyId)?.[1]
  if ((!KEY.test(keyId) && region === undefined) || (host !== '' && !URL.canParse(`https://${host}`))) {
    throw usageError(`this is no key in AWS KMS: "${text.slice(0, 200)}"`, {
      next: 'write awskms:///alias/<name>, awskms:///<key id> or awskms:///<arn>; an endpoint stands before the third slash',
    })
  }
  return {
    keyId,
    ...(host === '' ? {} : { endpoint: `https://${host}` }),
    ...(region === undefined ? {} : { region }),
  }
}

// --- internal ---

const FORM = /^awskms:\/\/([^/@\s?#]*)\/(\S+)$/
const ID = '(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})'
const ALIAS = 'alias/[A-Za-z0-9/_-]{1,250}'
const KEY = new RegExp(`^(?:${ID}|${ALIAS})$`, 'i')
const ARN = new RegExp(`^arn:[a-z-]+:kms:([a-z0-9-]+):\\d{12}:(?:key/${ID}|${ALIAS})$`, 'i')
