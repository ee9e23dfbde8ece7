import { usageError } from '../../../lib/errors.ts'
import { noteSecret } from '../../../lib/secrets.ts'
import { isObject, parseObject } from '../../../oci/manifest.ts'

/** Who a node is for a registry. */
export interface PullLogin {
  readonly host: string
  readonly username: string
  readonly password: string
}

/**
 * The logins of a pull secret: the file that `docker login` writes, or the Secret as `kubectl get secret -o json` prints it.
 * https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/
 * @param where how errors call the file
 * @throws a usage error for what is neither, never with what is in it
 */
export function readPullSecret(raw: Uint8Array, where: string): readonly PullLogin[] {
  const fail = (why: string) =>
    usageError(`no pull secret: ${why}`, {
      where,
      next: 'print it with: kubectl get secret <name> -n <namespace> -o json',
    })
  const json = parseObject(raw)
  if (json === undefined) throw fail('it is not JSON')
  const config = isObject(json['data']) ? fromSecret(json['data']) : json
  const auths = config?.['auths'] ?? config
  if (!isObject(auths)) throw fail('it has no "auths"')
  const logins = Object.entries(auths).flatMap(([key, entry]): PullLogin[] => {
    if (!isObject(entry)) return []
    const [username, password] = partsOf(entry)
    if (username === undefined || password === undefined) return []
    noteSecret(password, Buffer.from(`${username}:${password}`).toString('base64'))
    return [{ host: key.replace(/^https?:\/\//, '').replace(/\/.*$/, ''), username, password }]
  })
  if (logins.length === 0) throw fail('it names no user for any registry')
  return logins
}

// --- internal ---

function fromSecret(data: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const text = data['.dockerconfigjson'] ?? data['.dockercfg']
  return typeof text === 'string' ? parseObject(Buffer.from(text, 'base64')) : undefined
}

function partsOf({
  auth,
  username,
  password,
}: Readonly<Record<string, unknown>>): readonly (string | undefined)[] {
  if (typeof username === 'string' && typeof password === 'string') return [username, password]
  if (typeof auth !== 'string') return []
  const text = Buffer.from(auth, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? [] : [text.slice(0, colon), text.slice(colon + 1)]
}
