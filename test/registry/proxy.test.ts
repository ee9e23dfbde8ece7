import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bytesOf } from '../../src/lib/bytes/bytes.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { openRepository } from '../../src/registry/repository.ts'
import { createAuthority, type TestAuthority } from '../support/certificates.ts'
import { startDockerRegistry, type DockerRegistry } from '../support/docker-registry.ts'
import { noise } from '../support/images.ts'
import { startDouble } from '../support/registry/double.ts'
import { digestAll, failureOf, harness } from '../support/registry/harness.ts'
import { startTinyproxy, type Tinyproxy } from '../support/tinyproxy.ts'

/** Reaches this machine without being a name of loopback, which never goes through a proxy. */
const HERE = '0.0.0.0'
const user = { username: 'me', password: 'secret' }
const layer = noise(3_000_000)
const target = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: digestOf(layer),
  size: layer.length,
}

let authority: TestAuthority
let proxy: Tinyproxy
let secure: DockerRegistry
let plain: DockerRegistry
beforeAll(async () => {
  authority = await createAuthority()
  const tls = await authority.issue('registry', { only: [`IP:${HERE}`, 'DNS:localhost'] })
  ;[proxy, secure, plain] = await Promise.all([
    startTinyproxy({ user: 'proxy', password: 'pw' }),
    startDockerRegistry({ tls, user }),
    startDockerRegistry(),
  ])
})
afterAll(async () => {
  await Promise.all([proxy.stop(), secure.stop(), plain.stop()])
  await authority.remove()
})

const reached = (registry: DockerRegistry): string => `${HERE}:${registry.host.split(':')[1]}`

describe('a real registry behind a real proxy', () => {
  test('over TLS with its own CA and htpasswd, through CONNECT', async () => {
    const host = reached(secure)
    const { client } = harness({
      net: { env: { HTTPS_PROXY: proxy.url }, caFiles: [authority.caFile] },
      credentials: async (registry) => (registry === host ? user : undefined),
    })
    const repository = openRepository(client, host, 'team/app')
    await repository.push(target, async () => bytesOf(layer))
    expect(await repository.exists(target)).toBe(true)
    expect(await digestAll(await repository.fetch(target))).toEqual({
      size: target.size,
      digest: target.digest,
    })
    const seen = await proxy.requests()
    expect(seen.length).toBeGreaterThan(0)
    expect(new Set(seen)).toEqual(new Set([`CONNECT ${host}`]))
  })

  test('through tunnels that are used again', async () => {
    const { client } = harness({
      net: { env: { HTTPS_PROXY: proxy.url }, caFiles: [authority.caFile] },
      credentials: async () => user,
    })
    const repository = openRepository(client, reached(secure), 'team/app')
    const before = (await proxy.requests()).length
    for (let round = 0; round < 5; round += 1) {
      await Promise.all([1, 2, 3].map(async () => digestAll(await repository.fetch(target))))
      await repository.head('v1')
    }
    expect((await proxy.requests()).length - before).toBeLessThanOrEqual(3)
  })

  test('over plain http, through a forward proxy', async () => {
    const host = reached(plain)
    const { client } = harness({ net: { env: { HTTP_PROXY: proxy.url } }, insecure: [host] })
    const repository = openRepository(client, host, 'team/app')
    await repository.push(target, async () => bytesOf(layer))
    expect((await digestAll(await repository.fetch(target, 1_000_000))).size).toBe(2_000_000)
    const seen = (await proxy.requests()).filter((line) => !line.startsWith('CONNECT'))
    expect(seen).toContain(`GET http://${host}/v2/team/app/blobs/${target.digest}`)
  })

  test('not at all for hosts in NO_PROXY', async () => {
    const host = reached(plain)
    const before = (await proxy.requests()).length
    const env = { HTTP_PROXY: proxy.url, NO_PROXY: `.example,${HERE}` }
    const { client } = harness({ net: { env }, insecure: [host] })
    await openRepository(client, host, 'team/app').exists(target)
    expect(await proxy.requests()).toHaveLength(before)
  })

  test('says that the proxy requires a password', async () => {
    const env = { HTTPS_PROXY: proxy.url.replace('proxy:pw@', '') }
    const { client } = harness({ net: { env, caFiles: [authority.caFile] } })
    const error = await failureOf(openRepository(client, reached(secure), 'team/app').resolve('v1'))
    expect(error.message).toMatch(/^the proxy 127\.0\.0\.1:\d+ answered 40[17] instead of connecting/)
    expect(error.next).toContain('user:password')
  })

  test('says that the proxy, not the registry, failed', async () => {
    const { client } = harness({ net: { env: { HTTPS_PROXY: proxy.url }, caFiles: [authority.caFile] } })
    const error = await failureOf(openRepository(client, `${HERE}:1`, 'team/app').resolve('v1'))
    expect(error).toMatchObject({ kind: 'network', where: `${HERE}:1/team/app:v1` })
    expect(error.message).toMatch(
      /^the proxy 127\.0\.0\.1:\d+ answered 50\d instead of connecting to 0\.0\.0\.0:1$/,
    )
  })

  test('checks that the certificate is for the registry, not for the proxy', async () => {
    const tls = await authority.issue('proxy-end')
    const double = await startDouble({ tls })
    const { client } = harness({ net: { env: { HTTPS_PROXY: proxy.url }, caFiles: [authority.caFile] } })
    const error = await failureOf(
      openRepository(client, `${HERE}:${double.host.split(':')[1]}`, 'a/b').resolve('v1'),
    )
    await double.stop()
    expect(error.message).toContain('its certificate is for another host name')
    expect(double.requests).toEqual([])
  })

  test('does not trust its CA without being told', async () => {
    const { client } = harness({ net: { env: { HTTPS_PROXY: proxy.url } } })
    const error = await failureOf(openRepository(client, reached(secure), 'team/app').resolve('v1'))
    expect(error.message).toContain('a CA that is not trusted here')
  })
})

test('memory does not grow with what is under way through CONNECT, in either direction', async () => {
  const { certFile, keyFile } = await authority.issue('slow', { only: [`IP:${HERE}`] })
  const server = https.createServer(
    { cert: readFileSync(certFile), key: readFileSync(keyFile) },
    (request, response) => {
      response.on('error', () => undefined)
      if (request.url === '/small') response.end('small')
      else if (request.url === '/download') {
        const chunk = Buffer.alloc(256 * 1024)
        const more = (): void => {
          while (!response.destroyed && response.write(chunk));
          response.once('drain', more)
        }
        more()
      } else {
        request.on('error', () => undefined)
        request.on('data', () => {
          request.pause()
          setTimeout(() => request.resume(), 20)
        })
      }
    },
  )
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  const url = `https://${HERE}:${typeof address === 'object' && address !== null ? address.port : 0}`
  const script = fileURLToPath(new URL('../support/registry/slow-transfer.ts', import.meta.url))
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], HTTPS_PROXY: proxy.url }
  const child = spawn(process.execPath, [script, url, authority.caFile], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let printed = ''
  for await (const chunk of child.stdout) printed += String(chunk)
  server.closeAllConnections()
  server.close()
  const { grownMiB, received, sent } = JSON.parse(printed) as {
    grownMiB: number
    received: number
    sent: number
  }
  // Without backpressure all that the server can send in these seconds, gigabytes, would be held.
  expect(received).toBeGreaterThan(1024 ** 2)
  expect(sent).toBeGreaterThan(1024 ** 2)
  expect(sent).toBeLessThan(512 * 1024 ** 2)
  expect(grownMiB).toBeLessThan(128)
})
