import type { AwsSide } from '../../aws/config/sides.ts'
import type { Network } from '../../bundle/run/network.ts'
import {
  connect,
  DEFAULT_CONCURRENCY,
  type NetworkSettings,
  type RegistryLogin,
} from '../../setup/network.ts'
import { usageError } from '../../lib/errors.ts'
import type { ClientCertificate } from '../../lib/http/tls.ts'
import { awsArgs } from './aws.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import type { CommandSession } from '../session.ts'

/** Flags of every command that talks to registries. */
export const networkArgs = {
  username: {
    type: 'string',
    multiple: true,
    hint: '[host=]name',
    description: 'User name for a registry; its password comes with --password-stdin, one a line',
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
  concurrency: {
    type: 'integer',
    min: 1,
    max: 64,
    default: DEFAULT_CONCURRENCY,
    description: 'Transfers at a time',
  },
  ...awsArgs,
} as const satisfies ArgsDef

/** Those of AWS are with the session. */
export type NetworkArgs = Args<Omit<typeof networkArgs, keyof typeof awsArgs>>

export interface ConnectOptions {
  /** The registry that `--username` without a host is for. */
  readonly home?: string
  /** Whose AWS credentials and CAs count: those of the registry that is `home`, else those of the sources. */
  readonly side?: AwsSide
}

/** Opens connections as the flags and the environment say. */
export async function openNetwork(
  args: NetworkArgs,
  session: CommandSession,
  { home, side = home === undefined ? 'source' : 'registry' }: ConnectOptions = {},
): Promise<Network> {
  return connect(await networkSettings(args, session, home), session, { side })
}

/** What the flags say of the network; passwords are read from standard input. */
export async function networkSettings(
  args: NetworkArgs,
  session: CommandSession,
  home?: string,
): Promise<NetworkSettings> {
  return {
    logins: await loginsOf(args, session, home),
    caFiles: args.caFile,
    clientCertificates: clientCertificates(args.clientCert),
    insecure: args.insecureRegistry,
    concurrency: args.concurrency,
  }
}

export type LoginArgs = Pick<NetworkArgs, 'username' | 'passwordStdin'>

/** The one user name there can be is for the registry that is written to, unless it names another host. */
export function splitLogin(
  { username, passwordStdin }: LoginArgs,
  registry: string,
): { readonly source: LoginArgs; readonly target: LoginArgs } {
  const given = { username, passwordStdin }
  const isForSource = username.some(
    (text) => text.includes('=') && text.slice(0, text.indexOf('=')) !== registry,
  )
  return isForSource ? { source: given, target: NO_LOGIN } : { source: NO_LOGIN, target: given }
}

// --- internal ---

const NO_LOGIN: LoginArgs = { username: [], passwordStdin: false }

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

async function loginsOf(
  args: NetworkArgs,
  session: CommandSession,
  home?: string,
): Promise<readonly RegistryLogin[]> {
  if (args.username.length === 0) {
    if (args.passwordStdin) throw usageError('--password-stdin needs --username')
    return []
  }
  if (!args.passwordStdin) {
    throw usageError('--username needs --password-stdin', {
      next: 'pipe the password in: printf %s "$PASSWORD" | ma-bundle …',
    })
  }
  const users = args.username.map((text) => {
    const at = text.indexOf('=')
    const host = at < 0 ? home : text.slice(0, at)
    if (host !== undefined) return { host, username: text.slice(at + 1) }
    throw usageError('--username does not say for which registry', { next: 'write --username host=name' })
  })
  const passwords = await readPasswords(session, users.length)
  return users.map((user, at) => ({ ...user, password: passwords[at] ?? '' }))
}

/** One a line when there are several; a single one may be anything but that its last line break is none of it. */
async function readPasswords(session: CommandSession, count: number): Promise<readonly string[]> {
  const text = await readText(session)
  const found = count === 1 ? [text] : text.split(/\r?\n/)
  if (found.length === count) return found
  throw usageError(
    `--password-stdin read ${found.length} ${found.length === 1 ? 'line' : 'lines'} for ${count} users`,
    {
      next: 'write one password a line, in the order of --username',
    },
  )
}

async function readText({ stdin }: CommandSession): Promise<string> {
  let text = ''
  for await (const chunk of stdin) {
    text += String(chunk)
    if (text.length > 64 * 1024)
      throw usageError('what --password-stdin read is no password: more than 64 KiB')
  }
  return text.replace(/\r?\n$/, '')
}
