import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestCertificate {
  readonly certFile: string
  readonly keyFile: string
}

export interface CertificateOptions {
  /** Subject alternative names, as `DNS:…` or `IP:…`, in place of those of loopback. */
  readonly only?: readonly string[]
  readonly expired?: boolean
}

/** A CA of our own, in a folder of its own. */
export interface TestAuthority {
  readonly caFile: string
  /** Signs a certificate, for `localhost` and 127.0.0.1 by default. */
  issue(name: string, options?: CertificateOptions): Promise<TestCertificate>
  remove(): Promise<void>
}

export async function createAuthority(): Promise<TestAuthority> {
  if (!existsSync(OPENSSL)) throw new Error(`${OPENSSL} is missing: apt-get install openssl`)
  const folder = await mkdtemp(join(tmpdir(), 'ma-bundle-ca-'))
  const file = (name: string): string => join(folder, name)
  const [caFile, caKey, config] = [file('ca.pem'), file('ca.key'), file('ca.cnf')]
  openssl(`req -x509 ${NEW_KEY} -keyout ${caKey} -out ${caFile} -days 30`, '-subj', '/CN=test CA')
  await writeFile(file('index.txt'), '')
  await writeFile(
    config,
    [
      '[ca]\ndefault_ca = own',
      `[own]\ndatabase = ${file('index.txt')}\nnew_certs_dir = ${folder}\nunique_subject = no\nrand_serial = yes`,
      `certificate = ${caFile}\nprivate_key = ${caKey}\ndefault_md = sha256\npolicy = any`,
      '[any]\ncommonName = supplied\n',
    ].join('\n'),
  )
  return {
    caFile,
    async issue(name, { only = LOOPBACK, expired = false } = {}) {
      const [keyFile, request, certFile] = [file(`${name}.key`), file(`${name}.csr`), file(`${name}.pem`)]
      const extensions = file(`${name}.ext`)
      await writeFile(extensions, `subjectAltName=${only.join(',')}\n`)
      openssl(`req ${NEW_KEY} -keyout ${keyFile} -out ${request}`, '-subj', `/CN=${name}`)
      // Of all the ways of openssl, only `ca` can date back in every version.
      const life = expired ? '-startdate 20200101000000Z -enddate 20200201000000Z' : '-days 30'
      openssl(
        `ca -batch -notext -config ${config} -in ${request} -out ${certFile} -extfile ${extensions} ${life}`,
      )
      return { certFile, keyFile }
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

// --- internal ---

const OPENSSL = '/usr/bin/openssl'
const LOOPBACK = ['DNS:localhost', 'IP:127.0.0.1'] as const
const NEW_KEY = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'

/** `line` is cut at its spaces; what may hold some follows it. */
function openssl(line: string, ...more: readonly string[]): void {
  execFileSync(OPENSSL, [...line.split(' '), ...more], { stdio: ['ignore', 'ignore', 'pipe'] })
}
