import type { Http } from '../lib/http/client.ts'
import { HttpError } from '../lib/http/error.ts'
import { createOnce } from '../lib/once.ts'
import { isLoopback } from '../lib/url.ts'

/** A registry's name in references to the origin (`https://host`) that speaks for it. */
export type Endpoints = (registry: string) => Promise<string>

/** Docker Hub's registry is not at the name it goes by. */
const HUB = new Set([
  'docker.io',
  'index.docker.io',
  'registry.hub.docker.com',
  'www.docker.io',
  'hub.docker.com',
])

/**
 * https, except for the registries called insecure, which get plain http. A registry on loopback needs no flag: it is
 * asked once whether it speaks TLS, because a plain one answers a handshake with anything but TLS.
 */
export function createEndpoints(http: Http, insecure: readonly string[]): Endpoints {
  const plain = new Set(insecure.map((host) => host.toLowerCase()))
  const once = createOnce<string>()
  return async (registry) => {
    const host = registry.toLowerCase()
    if (HUB.has(host)) return 'https://registry-1.docker.io'
    if (plain.has(host)) return `http://${host}`
    if (!isLoopback(host)) return `https://${host}`
    return once(host, async () => ((await speaksTls(http, host)) ? `https://${host}` : `http://${host}`))
  }
}

// --- internal ---

/** A server that waits for the rest of what it takes for a plain request must not hold us up. */
const PROBE_MS = 3_000

async function speaksTls(http: Http, host: string): Promise<boolean> {
  try {
    const response = await http({
      method: 'HEAD',
      url: `https://${host}/v2/`,
      signal: AbortSignal.timeout(PROBE_MS),
    })
    await response.discard()
    return true
  } catch (error) {
    return error instanceof HttpError && isAboutCertificates(error.code)
  }
}

const isAboutCertificates = (code: string): boolean =>
  /CERT|ISSUER|SIGNATURE|SELF_SIGNED|ALERT/.test(code) && !code.includes('WRONG_VERSION')
