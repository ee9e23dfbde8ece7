import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { createAuthority, type TestAuthority } from '../support/certificates.ts'
import { runCli } from '../support/cli.ts'
import { portOf, startNameProxy, type NameProxy } from '../support/name-proxy.ts'
import { startDouble, type RegistryDouble } from '../support/registry/double.ts'
import * as fault from '../support/registry/faults.ts'

let folder: string
let authority: TestAuthority
let hub: RegistryDouble
let proxy: NameProxy

/** Docker Hub with one image of two platforms, each with the attestation that BuildKit adds. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hub-'))
  authority = await createAuthority()
  hub = await startDouble({
    tls: await authority.issue('hub', { only: ['DNS:registry-1.docker.io', 'DNS:mirror.gcr.io'] }),
  })
  const children = ['amd64', 'arm64'].flatMap((architecture) => {
    const image = addImage({ os: 'linux', architecture })
    const about = { 'vnd.docker.reference.digest': image.digest }
    return [
      image,
      { ...addImage({ os: 'unknown', architecture: 'unknown' }, architecture), annotations: about },
    ]
  })
  hub.addManifest(
    'library/web',
    { schemaVersion: 2, mediaType: OCI_INDEX, manifests: children },
    '1',
    OCI_INDEX,
  )
  proxy = await startNameProxy(() => portOf(hub.host))
  await writeFile(join(folder, 'spec.yaml'), 'images: [web:1]')
})
afterEach(async () => {
  await Promise.all([proxy.stop(), hub.stop(), authority.remove()])
  await rm(folder, { recursive: true })
})

function addImage(platform: { readonly os: string; readonly architecture: string }, seed = '') {
  const config = hub.addBlob(
    'library/web',
    new TextEncoder().encode(JSON.stringify({ ...platform, author: seed })),
    OCI_CONFIG,
  )
  const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] }
  return { ...hub.addManifest('library/web', image, undefined, OCI_MANIFEST).descriptor, platform }
}

const remaining = (left: number) =>
  hub.addFault({
    change: fault.withHeaders({ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': `${left};w=21600` }),
  })

const forecast = (...args: readonly string[]) =>
  runCli(['export', 'x.tar', '--spec', 'spec.yaml', '--dry-run', '--ca-file', authority.caFile, ...args], {
    cwd: folder,
    env: { HTTPS_PROXY: proxy.url },
  })

const pulls = () =>
  hub.requests.filter(({ method, path }) => method === 'GET' && path.includes('/manifests/'))

describe('Docker Hub’s budget', () => {
  it('is asked for with HEAD, and foretells all that is taken', async () => {
    remaining(50)
    const { stdout, stderr } = await forecast()
    expect(hub.requests[0]?.method).toBe('HEAD')
    expect(pulls()).toHaveLength(5)
    // Said before anything is taken, so that a person can still stop it.
    expect(stderr).toContain('Docker Hub would count up to 5 pulls; 50 of 100 remain.')
    expect(stdout).toMatch(/^Docker Hub +would count up to 5 pulls; 50 of 100 remain\.$/m)
  })

  it('is told of what the forecast itself has taken', async () => {
    let left = 50
    hub.addFault({
      change: (next, request) => {
        if (request.method === 'GET' && request.path.includes('/manifests/')) left -= 1
        return fault.withHeaders({
          'ratelimit-limit': '100;w=21600',
          'ratelimit-remaining': `${left};w=21600`,
        })(next, request)
      },
    })
    const { stdout } = await forecast()
    expect(stdout).toMatch(
      /^Docker Hub +would count up to 5 pulls; 45 of 100 remain\. Finding this out took 5 of them\.$/m,
    )
  })

  it('is spared what an older bundle has: of an index that was cut, only that is asked for again', async () => {
    const run = (...args: readonly string[]) =>
      runCli([...args, '--spec', 'spec.yaml', '--ca-file', authority.caFile], {
        cwd: folder,
        env: { HTTPS_PROXY: proxy.url },
      })
    expect(await run('export', 'old.tar', '--platform', 'linux/amd64')).toMatchObject({ code: 0 })
    const before = pulls().length
    expect(await run('plan', '--reuse', 'old.tar', '--platform', 'linux/amd64')).toMatchObject({
      code: 0,
    })
    expect(pulls().length - before).toBe(1)
    // An index that is kept whole is in the older bundle as it is.
    expect(await run('export', 'whole.tar', '--platform', 'all')).toMatchObject({ code: 0 })
    const between = pulls().length
    const { code, stdout } = await run('plan', '--reuse', 'whole.tar', '--platform', 'all')
    expect([code, pulls().length - between]).toEqual([0, 0])
    expect(stdout).toMatch(/^Docker Hub +would count up to 0 pulls/m)
    const again = await run('export', 'again.tar', '--reuse', 'whole.tar', '--platform', 'all')
    expect([again.code, pulls().length - between]).toEqual([0, 0])
    expect(readFileSync(join(folder, 'again.tar')).equals(readFileSync(join(folder, 'whole.tar')))).toBe(true)
  })

  it('is asked for what is damaged in the older bundle', async () => {
    const run = (...args: readonly string[]) =>
      runCli([...args, '--spec', 'spec.yaml', '--ca-file', authority.caFile], {
        cwd: folder,
        env: { HTTPS_PROXY: proxy.url },
      })
    await run('export', 'old.tar')
    const bytes = readFileSync(join(folder, 'old.tar'))
    const damaged = bytes
      .toString('latin1')
      .replaceAll(
        '"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest',
        '"schemaVersion":3,"mediaType":"application/vnd.oci.image.manifest',
      )
    writeFileSync(join(folder, 'old.tar'), Buffer.from(damaged, 'latin1'))
    const before = pulls().length
    expect(await run('export', 'new.tar', '--reuse', 'old.tar')).toMatchObject({ code: 0 })
    // Four manifests; the index is as it was.
    expect(pulls().length - before).toBe(4)
    expect(readFileSync(join(folder, 'new.tar')).equals(bytes)).toBe(true)
  })

  it('is warned of when it does not suffice, with the way out', async () => {
    remaining(4)
    const { stderr } = await forecast()
    expect(stderr).toContain('up to 5 counted pulls are needed, 4 of 100 remain')
    expect(stderr).toContain('--mirror docker.io=mirror.gcr.io')
  })

  it('is spared by a mirror', async () => {
    const { code, stdout } = await forecast('--mirror', 'docker.io=mirror.gcr.io')
    expect(code).toBe(0)
    expect(stdout).not.toContain('Docker Hub')
    expect(new Set(proxy.asked)).toEqual(new Set(['mirror.gcr.io:443']))
  })
})
