import { usageError } from '../lib/errors.ts'
import { createHttp } from '../lib/http.ts'
import { createTrust, type ClientCertificate } from '../lib/tls.ts'
import type { Session as Journey } from '../bundle/session.ts'
import { createClient } from '../registry/client.ts'
import { chain, dockerCredentials, type Credentials } from '../registry/credentials.ts'
import { awsCredentialsFor } from './aws-credentials.ts'
import type { Args, ArgsDef } from './flags.ts'
import type { Session } from './session.ts'

/** Flags of every command that talks to registries. */
export const networkArgs = {
  username: {
    type: 'string',
    multiple: true,
    hint: '[host=]name',
    description: 'User name for a registry; its password comes with --password-stdin',
  },
  passwordStdin: { type: 'boolean', description: 'Read the password for --username from standard input' },
  insecureRegistry: {
    type: 'string',
    multiple: true,
    hint: 'host',
    description: 'Speak plain http to this registry (loopback needs no flag)',
  },
  caFile: {
    type: 'string',
    multiple: true,
    hint: 'file',
    description: 'Trust the CA certificates of this PEM file too',
  },
  clientCert: {
    type: 'string',
    multiple: true,
    hint: 'host=cert.pem,key.pem',
    description: 'Show this client certificate to a host that asks for one',
  },
  concurrency: { type: 'integer', min: 1, max: 64, default: 8, description: 'Transfers at a time' },
} as const satisfies ArgsDef

export type NetworkArgs = Args<typeof networkArgs>

export interface NetworkOptions {
  /** The registry that `--username` without a host is for. */
  readonly home?: string
  /** Asked after the flags and before docker's files; what AWS hands out for its registries, unless told otherwise. */
  readonly own?: Credentials
}

/** Opens connections as the flags and the environment say. */
export async function openNetwork(
  args: NetworkArgs,
  session: Session,
  { home, own }: NetworkOptions = {},
): Promise<Journey> {
  const { env, emit, signal } = session
  const http = createHttp({
    env,
    caFiles: args.caFile,
    clientCertificates: clientCertificates(args.clientCert),
  })
  const given = await givenCredentials(args, session, home)
  const trust = createTrust({ env, caFiles: args.caFile })
  const credentials = chain(
    ...given,
    own ?? awsCredentialsFor(session, trust),
    dockerCredentials(env, {
      warn: (message: string) => emit({ type: 'warning', message }),
    }),
  )
  const client = createClient({
    http,
    credentials,
    insecure: args.insecureRegistry,
    emit,
    signal,
    concurrencyPerHost: args.concurrency,
  })
  return { http, client, emit, signal, concurrency: args.concurrency }
}

// --- internal ---

function clientCertificates(texts: readonly string[]): Record<string, ClientCertificate> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, host, certFile, keyFile] = /^([^=]+)=([^,]+)(?:,(.+))?$/.exec(text) ?? []
      if (host === undefined || certFile === undefined) {
        throw usageError(`--client-cert "${text}" is not host=cert.pem,key.pem`)
      }
      return [host, { certFile, keyFile: keyFile ?? certFile }]
    }),
  )
}

async function givenCredentials(
  args: NetworkArgs,
  session: Session,
  home?: string,
): Promise<readonly Credentials[]> {
  const [name, ...others] = args.username
  if (name === undefined) {
    if (args.passwordStdin) throw usageError('--password-stdin needs --username')
    return []
  }
  if (others.length > 0) {
    throw usageError('--username is given more than once', {
      next: 'log in to several registries with "docker login", "skopeo login" or "helm registry login"; their files are read',
    })
  }
  if (!args.passwordStdin) {
    throw usageError('--username needs --password-stdin', {
      next: 'pipe the password in: printf %s "$PASSWORD" | ma-bundle …',
    })
  }
  const at = name.indexOf('=')
  const host = at < 0 ? home : name.slice(0, at)
  if (host === undefined) {
    throw usageError('--username does not say for which registry', { next: 'write --username host=name' })
  }
  const credential = { username: name.slice(at + 1), password: await readLine(session) }
  return [(asked) => Promise.resolve(host === asked ? credential : undefined)]
}

async function readLine({ stdin }: Session): Promise<string> {
  let text = ''
  for await (const chunk of stdin) {
    text += String(chunk)
    if (text.length > 64 * 1024)
      throw usageError('what --password-stdin read is no password: more than 64 KiB')
  }
  return text.replace(/\r?\n$/, '')
}
