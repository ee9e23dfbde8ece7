import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestCertificate {
  readonly certFile: string
  readonly keyFile: string
}

/** A CA of our own, in a folder of its own. */
export interface TestAuthority {
  readonly caFile: string
  /** Signs a certificate for `localhost`, 127.0.0.1 and the given names; `days` may lie in the past. */
  issue(
    name: string,
    options?: { readonly names?: readonly string[]; readonly expired?: boolean },
  ): Promise<TestCertificate>
  remove(): Promise<void>
}

export async function createAuthority(): Promise<TestAuthority> {
  if (!existsSync(OPENSSL)) throw new Error(`${OPENSSL} is missing: apt-get install openssl`)
  const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-ca-'))
  const file = (name: string) => join(folder, name)
  openssl([
    'req',
    '-x509',
    ...NEW_KEY,
    '-keyout',
    file('ca.key'),
    '-out',
    file('ca.pem'),
    '-days',
    '30',
    '-subj',
    '/CN=test CA',
  ])
  return {
    caFile: file('ca.pem'),
    async issue(name, { names = [], expired = false } = {}) {
      const [keyFile, request, certFile, extensions] = ['key', 'csr', 'pem', 'ext'].map((end) =>
        file(`${name}.${end}`),
      ) as [string, string, string, string]
      openssl(['req', ...NEW_KEY, '-keyout', keyFile, '-out', request, '-subj', `/CN=${name}`])
      const all = ['DNS:localhost', 'IP:127.0.0.1', ...names.map((other) => `DNS:${other}`)]
      await writeFile(extensions, `subjectAltName=${all.join(',')}\n`)
      const life = expired
        ? ['-not_before', '20200101000000Z', '-not_after', '20200201000000Z']
        : ['-days', '30']
      const sign = expired ? await signExpired(folder, request, certFile, extensions) : undefined
      if (sign === undefined) {
        openssl([
          'x509',
          '-req',
          '-in',
          request,
          '-CA',
          file('ca.pem'),
          '-CAkey',
          file('ca.key'),
          '-CAcreateserial',
          '-extfile',
          extensions,
          '-out',
          certFile,
          ...life,
        ])
      }
      return { certFile, keyFile }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

// --- internal ---

const OPENSSL = '/usr/bin/openssl'
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const

function openssl(args: readonly string[]): void {
  execFileSync(OPENSSL, [...args], { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** `openssl x509` cannot date back before version 3.4, `openssl ca` always could. */
async function signExpired(
  folder: string,
  request: string,
  certFile: string,
  extensions: string,
): Promise<true> {
  const file = (name: string) => join(folder, name)
  await writeFile(file('index.txt'), '')
  await writeFile(file('serial'), `${Date.now().toString(16).padStart(12, '0')}\n`)
  await writeFile(
    file('ca.cnf'),
    `[ca]\ndefault_ca=own\n[own]\ndatabase=${file('index.txt')}\nserial=${file('serial')}\nnew_certs_dir=${folder}\ncertificate=${file('ca.pem')}\nprivate_key=${file('ca.key')}\ndefault_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n`,
  )
  openssl([
    'ca',
    '-batch',
    '-notext',
    '-config',
    file('ca.cnf'),
    '-in',
    request,
    '-out',
    certFile,
    '-extfile',
    extensions,
    '-startdate',
    '20200101000000Z',
    '-enddate',
    '20200201000000Z',
  ])
  return true
}
