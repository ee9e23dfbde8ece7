import { BlockList, isIP } from 'node:net'
import { usageError } from '../errors.ts'
import { noteSecret } from '../secrets.ts'
import { isLoopback } from '../url.ts'

/** Environment variables, handed in by the command layer. */
export type Env = Readonly<Record<string, string | undefined>>

/**
 * The proxy for a URL, by the rules curl and Go agree on: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, in lower case too
 * (lower case wins), and `NO_PROXY` with names, `.suffixes`, `*`, `host:port`, addresses and CIDR blocks. Loopback
 * never goes through a proxy. https://pkg.go.dev/golang.org/x/net/http/httpproxy
 * @throws a usage error when the variable does not hold the URL of an http(s) or SOCKS 5 proxy
 */
export function proxyFor(url: URL, env: Env): URL | undefined {
  const names = url.protocol === 'https:' ? ['https_proxy', 'all_proxy'] : ['http_proxy', 'all_proxy']
  const chosen = names.find((name) => value(env, name) !== undefined)
  if (chosen === undefined || isLoopback(url.host) || isExempt(url, value(env, 'no_proxy') ?? ''))
    return undefined
  const written = value(env, chosen) ?? ''
  const text = written.includes('://') ? written : `http://${written}`
  if (
    !URL.canParse(text) ||
    !/^(https?|socks5h?):\/\/./.test(text.toLowerCase()) ||
    new URL(text).hostname === ''
  ) {
    throw usageError(`${chosen.toUpperCase()} does not hold the URL of an http, https or SOCKS 5 proxy`, {
      next:
        'write it as http://proxy.example:3128 or socks5h://127.0.0.1:1080; in a password, write / # ? % as ' +
        '%2F %23 %3F %25',
    })
  }
  return withLogin(new URL(text))
}

/** A proxy that carries connections of any kind: what `ssh -D` opens. */
export const isSocks = (proxy: URL): boolean => proxy.protocol.startsWith('socks')

// --- internal ---

/** Its password is a secret like any other; one with a bare % is taken literally, as curl does. */
function withLogin(proxy: URL): URL {
  for (const part of ['username', 'password'] as const) {
    try {
      decodeURIComponent(proxy[part])
    } catch {
      proxy[part] = proxy[part].replaceAll('%', '%25')
    }
  }
  noteSecret(decodeURIComponent(proxy.password))
  return proxy
}

function value(env: Env, name: string): string | undefined {
  const found = env[name] ?? env[name.toUpperCase()]
  return found === undefined || found.trim() === '' ? undefined : found.trim()
}

function isExempt(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
  return list.split(/[\s,]+/).some((entry) => entry !== '' && matches(entry.toLowerCase(), host, port))
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true
  if (entry.includes('/')) return inBlock(entry, host)
  const withPort = isIP(entry) === 6 ? undefined : /^(.*):(\d+)$/.exec(entry)
  if (withPort !== undefined && withPort !== null && withPort[2] !== port) return false
  const name = (withPort?.[1] ?? entry).replace(/^\[|\]$/g, '').replace(/^\*?\./, '')
  return name !== '' && (host === name || (isIP(host) === 0 && host.endsWith(`.${name}`)))
}

function inBlock(entry: string, host: string): boolean {
  const [net = '', bits = ''] = entry.split('/')
  const family = isIP(net)
  const prefix = Number(bits)
  if (family === 0 || isIP(host) !== family || !Number.isInteger(prefix)) return false
  if (prefix < 0 || prefix > (family === 4 ? 32 : 128)) return false
  const type = family === 4 ? 'ipv4' : 'ipv6'
  const block = new BlockList()
  block.addSubnet(net, prefix, type)
  return block.check(host, type)
}
