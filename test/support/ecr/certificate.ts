import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificate {
  /** PEM of the authority. */
  readonly ca: string
  readonly key: string
  readonly cert: string
}

/** A fresh authority and a server certificate for these names and addresses, good for a week. */
export function createCertificate(names: readonly string[], addresses: readonly string[]): Certificate {
  const dir = mkdtempSync(join(tmpdir(), 'ecr-double-ca-'))
  const file = (name: string) => join(dir, name)
  try {
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '7']
    openssl([
      'req',
      '-x509',
      ...newKey,
      '-subj',
      '/CN=ECR double authority',
      '-keyout',
      file('ca.key'),
      '-out',
      file('ca.pem'),
      '-addext',
      'basicConstraints=critical,CA:TRUE',
      '-addext',
      'keyUsage=critical,keyCertSign',
    ])
    openssl([
      'req',
      ...newKey.slice(0, -2),
      '-subj',
      '/CN=ECR double',
      '-keyout',
      file('server.key'),
      '-out',
      file('server.csr'),
    ])
    const alternatives = [
      ...names.map((name) => `DNS:${name}`),
      ...addresses.map((address) => `IP:${address}`),
    ]
    writeFileSync(
      file('extensions'),
      `subjectAltName=${alternatives.join(',')}\nextendedKeyUsage=serverAuth\n`,
    )
    openssl([
      'x509',
      '-req',
      '-in',
      file('server.csr'),
      '-CA',
      file('ca.pem'),
      '-CAkey',
      file('ca.key'),
      '-CAcreateserial',
      '-days',
      '7',
      '-extfile',
      file('extensions'),
      '-out',
      file('server.pem'),
    ])
    const read = (name: string) => readFileSync(file(name), 'utf8')
    return { ca: read('ca.pem'), key: read('server.key'), cert: read('server.pem') }
  } finally {
    rmSync(dir, { recursive: true })
  }
}

// --- internal ---

function openssl(args: readonly string[]): void {
  const { error, status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  if (error !== undefined)
    throw new Error('the ECR double needs openssl for TLS: install it, or start with { tls: false }', {
      cause: error,
    })
  if (status !== 0) throw new Error(`openssl ${args[0]} failed: ${stderr}`)
}
