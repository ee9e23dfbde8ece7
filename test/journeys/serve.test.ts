import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/oci/digest.ts'
import { OCI_INDEX } from '../../src/oci/media-types.ts'
import { createAuthority, type TestAuthority } from '../support/certificates.ts'
import { chartArtifact } from '../support/charts.ts'
import { helmBinary } from '../support/helm.ts'
import { buildImage, buildIndex, layerOf, noise, type BuiltImage } from '../support/images.ts'
import { runProgram } from '../support/program.ts'
import { startContainerd } from '../support/containerd.ts'
import { startServe, type Served } from '../support/serve.ts'
import { runShell } from '../support/shell.ts'
import { startSource, type EmbeddedSource } from '../support/source.ts'

let folder: string
let source: EmbeddedSource
let served: Served
let authority: TestAuthority

const large = layerOf({ large: noise(3_000_000, 9) })
const lone = buildImage([large, layerOf({ own: noise(5000, 1) })], { docker: true })
const multi = buildIndex([
  buildImage([large], { platform: 'linux/amd64' }),
  buildImage([layerOf({ own: noise(5000, 2) })], { platform: 'linux/arm64' }),
])
const signature = withSubject(buildImage([layerOf({ signature: 'signed' })]), lone)
const metadata = { apiVersion: 'v2', name: 'web', version: '1.2.3+up1' }
const chart = {
  name: 'web',
  version: '1.2.3+up1',
  metadata,
  tgz: layerOf({
    'web/Chart.yaml': JSON.stringify(metadata),
    'web/templates/map.yaml':
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: "{{ .Release.Name }}"\ndata: { v: "{{ .Chart.Version }}" }\n',
  }),
}

const at = (name: string): string => join(folder, name)
const sourceName = (): string => source.host.replace(':', '-')

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'serve-'))
  authority = await createAuthority()
  source = await startSource({
    images: {
      'team/lone:1': lone,
      'team/lone:2': lone,
      'team/lone:10': lone,
      'team/multi:v1': multi,
      [`team/lone:sha256-${lone.digest.slice(7)}`]: buildIndex([signature]),
      'team/lone:signature': signature,
      'oci/web:1.2.3_up1': chartArtifact(chart),
    },
  })
  writeFileSync(
    at('spec.yaml'),
    `apiVersion: ma-bundle/v1
kind: BundleSpec
name: served
version: 1.0.0
groups:
  - name: all
    images: [${source.host}/team/lone:1, ${source.host}/team/lone:2, ${source.host}/team/lone:10, ${source.host}/team/multi:v1]
    charts: [{ name: web, version: 1.2.3+up1, repository: 'oci://${source.host}/oci' }]
`,
  )
  const { code, stderr } = await runShell([
    'export',
    at('bundle.tar'),
    '--spec',
    at('spec.yaml'),
    '--platform',
    'all',
    '--referrers',
    '--no-prove',
  ])
  expect({ code, stderr: stderr.includes('error') ? stderr : '' }).toEqual({ code: 0, stderr: '' })
  served = await startServe(at('bundle.tar'), folder)
})
afterAll(async () => {
  await served.stop()
  await source.stop()
  await authority.remove()
  rmSync(folder, { recursive: true })
})

const get = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${served.url}/v2/${path}`, init)
const blobPath = (blob: Uint8Array): string => `mirrored/${sourceName()}/team/lone/blobs/${digestOf(blob)}`

describe('a bundle as a registry', () => {
  it('has everything by its own name and by the name an import gives it', () => {
    const names = [`${sourceName()}/team/lone`, `${sourceName()}/team/multi`]
    expect(served.repositories).toEqual(
      [
        ...names,
        ...names.map((name) => `mirrored/${name}`),
        `${sourceName()}/oci/web`,
        'charts/web',
      ].toSorted(),
    )
  })

  it('is pulled from by skopeo, to the very same bytes', async () => {
    for (const name of [`${sourceName()}/team/multi:v1`, `mirrored/${sourceName()}/team/multi:v1`]) {
      const from = `docker://${served.host}/${name}`
      const raw = await runProgram('skopeo', ['inspect', '--raw', '--tls-verify=false', from])
      expect(digestOf(new Uint8Array(raw.stdout))).toBe(multi.digest)
      const to = at(`copy-${name.split('/')[0]}`)
      await runProgram('skopeo', ['copy', '--all', '--src-tls-verify=false', from, `dir:${to}`])
      for (const blob of multi.children[0]?.blobs.keys() ?? [])
        expect(digestOf(readFileSync(join(to, blob.slice(7))))).toBe(blob)
    }
    const tags = await runProgram('skopeo', [
      'list-tags',
      '--tls-verify=false',
      `docker://${served.host}/mirrored/${sourceName()}/team/lone`,
    ])
    expect(JSON.parse(tags.stdout.toString())).toMatchObject({
      Tags: expect.arrayContaining(['1', '10', '2']),
    })
  })

  it.each([3, 4] as const)('is pulled from by helm %i', async (major) => {
    const helm = await helmBinary(major)
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder }
    for (const name of ['charts', `${sourceName()}/oci`]) {
      const to = at(`helm-${major}-${name.replace('/', '-')}`)
      mkdirSync(to)
      const url = `oci://${served.host}/${name}/web`
      const version = ['--version', '1.2.3+up1', '--plain-http']
      await runProgram(helm, ['pull', url, ...version, '--destination', to], { env })
      expect(digestOf(readFileSync(join(to, 'web-1.2.3+up1.tgz')))).toBe(digestOf(chart.tgz))
      const rendered = await runProgram(helm, ['template', 'mine', url, ...version], { env })
      expect(rendered.stdout.toString()).toContain('v: "1.2.3+up1"')
    }
  })

  it('is pulled from by containerd, by its own name and as the mirror of another', async () => {
    const containerd = await startContainerd()
    const hosts = at('certs.d')
    try {
      for (const host of [served.host, source.host]) {
        const folderOf = join(hosts, host.replace(':', '_') + '_')
        mkdirSync(folderOf, { recursive: true })
        writeFileSync(
          join(folderOf, 'hosts.toml'),
          `server = "http://${served.host}"\n[host."http://${served.host}"]\n  capabilities = ["pull", "resolve"]\n`,
        )
      }
      const before = source.requests.length
      for (const name of [
        `${served.host}/mirrored/${sourceName()}/team/multi:v1`,
        `${source.host}/team/multi:v1`,
      ])
        expect(await containerd.pull(name, { hostsDir: hosts })).toEqual({ digest: multi.digest })
      expect(source.requests.length).toBe(before)
    } finally {
      await containerd.stop()
    }
  }, 60_000)

  it('serves many at once, each to the last byte', async () => {
    const wanted = Array.from({ length: 40 }, (_, at) => (at % 2 === 0 ? undefined : `bytes=${at * 1000}-`))
    const digests = await Promise.all(
      wanted.map(async (range) => {
        const response = await get(blobPath(large), range === undefined ? {} : { headers: { range } })
        return digestOf(await response.bytes())
      }),
    )
    expect(digests).toEqual(
      wanted.map((range, at) => digestOf(range === undefined ? large : large.subarray(at * 1000))),
    )
  })

  it('lets a client go in the middle of a blob, and serves the next', async () => {
    for (let at = 0; at < 20; at += 1) {
      const gone = new AbortController()
      const response = await get(blobPath(large), { signal: gone.signal })
      const reader = response.body?.getReader()
      await reader?.read()
      gone.abort()
    }
    expect(digestOf(await (await get(blobPath(large))).bytes())).toBe(digestOf(large))
  })

  it('answers HEAD as GET without a body, also when it refuses', async () => {
    const repository = `mirrored/${sourceName()}/team/lone`
    const paths = [
      `${repository}/manifests/1`,
      `${repository}/manifests/none`,
      blobPath(large),
      'no/such/tags/list',
    ]
    for (const path of paths) {
      const [whole, head] = [await get(path), await get(path, { method: 'HEAD' })]
      const described = ({ status, headers }: Response) => [
        status,
        ...['content-type', 'content-length', 'docker-content-digest', 'etag'].map((name) =>
          headers.get(name),
        ),
      ]
      expect(described(head)).toEqual(described(whole))
      expect((await head.bytes()).length).toBe(0)
      await whole.body?.cancel()
    }
  })

  it('answers as a mirror of Docker Hub and of registries with a port', async () => {
    const name = `team/lone/manifests/1?ns=${encodeURIComponent(source.host)}`
    expect((await get(name)).headers.get('docker-content-digest')).toBe(lone.digest)
    expect((await get('team/lone/manifests/1')).status).toBe(404)
  })

  it('gives manifests their types and digests, by GET and HEAD', async () => {
    const path = `mirrored/${sourceName()}/team/lone/manifests`
    for (const reference of ['1', lone.digest]) {
      const whole = await get(`${path}/${reference}`)
      expect(whole.headers.get('content-type')).toBe(lone.mediaType)
      expect(whole.headers.get('docker-content-digest')).toBe(lone.digest)
      expect(digestOf(await whole.bytes())).toBe(lone.digest)
      const head = await get(`${path}/${reference}`, { method: 'HEAD' })
      expect([head.status, head.headers.get('content-length')]).toEqual([200, String(lone.raw.length)])
      expect((await head.bytes()).length).toBe(0)
    }
  })

  it('gives blobs whole and in ranges', async () => {
    const path = blobPath(large)
    const head = await get(path, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(large.length)])
    expect(digestOf(await (await get(path)).bytes())).toBe(digestOf(large))
    const range = async (text: string) => {
      const response = await get(path, { headers: { range: text } })
      return [response.status, response.headers.get('content-range'), digestOf(await response.bytes())]
    }
    const of = (start: number, end: number) => [
      206,
      `bytes ${start}-${end - 1}/${large.length}`,
      digestOf(large.subarray(start, end)),
    ]
    expect(await range('bytes=0-0')).toEqual(of(0, 1))
    expect(await range('bytes=1000-1500000')).toEqual(of(1000, 1_500_001))
    expect(await range('bytes=1000000-')).toEqual(of(1_000_000, large.length))
    expect(await range('bytes=-7')).toEqual(of(large.length - 7, large.length))
    expect(await range(`bytes=5-${large.length * 2}`)).toEqual(of(5, large.length))
    expect((await range('bytes=0-1,5-6')).slice(0, 1)).toEqual([200])
    const beyond = await get(path, { headers: { range: `bytes=${large.length}-` } })
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${large.length}`])
    // curl continues what it has of a file.
    writeFileSync(at('part'), large.subarray(0, 1_234_567))
    await runProgram('curl', ['-fsS', '-C', '-', '-o', at('part'), `${served.url}/v2/${path}`])
    expect(digestOf(readFileSync(at('part')))).toBe(digestOf(large))
  })

  it('lists tags and repositories in pages', async () => {
    const path = `mirrored/${sourceName()}/team/lone/tags/list`
    const all = ['1', '10', '2', `sha256-${lone.digest.slice(7)}`]
    const { tags } = (await (await get(path)).json()) as { tags: string[] }
    expect(tags).toEqual(all.filter((tag) => tags.includes(tag)))
    const first = await get(`${path}?n=2`)
    expect(await first.json()).toEqual({ name: path.replace('/tags/list', ''), tags: ['1', '10'] })
    const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1] ?? ''
    expect(next).toBe(`/v2/${path}?n=2&last=10`)
    expect(await (await fetch(new URL(next, served.url))).json()).toMatchObject({
      tags: expect.arrayContaining(['2']),
    })
    expect(await (await get(`${path}?n=0`)).json()).toMatchObject({ tags: [] })
    expect((await get(`${path}?n=x`)).status).toBe(400)
    const catalog = await get('_catalog?n=1')
    expect(await catalog.json()).toEqual({ repositories: served.repositories.slice(0, 1) })
    expect(catalog.headers.get('link')).toContain('rel="next"')
  })

  it('lists what refers to a manifest', async () => {
    const path = `mirrored/${sourceName()}/team/lone/referrers`
    const found = await get(`${path}/${lone.digest}`)
    expect(found.headers.get('content-type')).toBe(OCI_INDEX)
    expect(await found.json()).toMatchObject({
      schemaVersion: 2,
      manifests: [
        { digest: signature.digest, size: signature.raw.length, artifactType: 'application/x.sig' },
      ],
    })
    const other = await get(`${path}/${lone.digest}?artifactType=application/x.other`)
    expect(other.headers.get('oci-filters-applied')).toBe('artifactType')
    expect(await other.json()).toMatchObject({ manifests: [] })
    expect(await (await get(`${path}/${multi.digest}`)).json()).toMatchObject({ manifests: [] })
  })

  it('refuses in the words of the protocol', async () => {
    const repository = `mirrored/${sourceName()}/team/lone`
    const none = `sha256:${'0'.repeat(64)}`
    const cases: readonly [path: string, status: number, code: string, method?: string][] = [
      [`${repository}/manifests/none`, 404, 'MANIFEST_UNKNOWN'],
      [`${repository}/manifests/${none}`, 404, 'MANIFEST_UNKNOWN'],
      [`${repository}/manifests/sha256:123`, 400, 'DIGEST_INVALID'],
      [`${repository}/blobs/${none}`, 404, 'BLOB_UNKNOWN'],
      [`${repository}/blobs/${multi.children[1]?.digest}`, 404, 'BLOB_UNKNOWN'],
      ['no/such/manifests/1', 404, 'NAME_UNKNOWN'],
      ['No/such/manifests/1', 400, 'NAME_INVALID'],
      ['nothing', 404, 'UNSUPPORTED'],
      [`${repository}/blobs/uploads/`, 405, 'UNSUPPORTED', 'POST'],
      [`${repository}/manifests/1`, 405, 'UNSUPPORTED', 'PUT'],
      [`${repository}/manifests/1`, 405, 'UNSUPPORTED', 'DELETE'],
    ]
    for (const [path, status, code, method = 'GET'] of cases) {
      const response = await get(path, { method })
      expect([path, response.status, await response.json()]).toEqual([
        path,
        status,
        { errors: [expect.objectContaining({ code })] },
      ])
    }
    expect((await get('', { method: 'GET' })).headers.get('docker-distribution-api-version')).toBe(
      'registry/2.0',
    )
  })
})

describe('a damaged bundle', () => {
  it('never sends a wrong blob to its end, whole or in part, and says which', async () => {
    const damaged = at('damaged.tar')
    const bytes = readFileSync(at('bundle.tar'))
    writeFileSync(damaged, bytes)
    const place = bytes.indexOf(Buffer.from(large))
    expect(place).toBeGreaterThan(0)
    const file = openSync(damaged, 'r+')
    writeSync(file, Buffer.from([(bytes[place + 2_000_000] ?? 0) ^ 1]), 0, 1, place + 2_000_000)
    closeSync(file)
    const registry = await startServe(damaged, folder)
    const url = `${registry.url}/v2/${blobPath(large)}`
    await expect(runProgram('curl', ['-sS', '-o', at('whole'), url])).rejects.toThrow('ended with 18')
    expect(readFileSync(at('whole')).length).toBeLessThan(large.length)
    // The range itself is right; it ends early all the same, because the blob it is part of is wrong.
    await expect(runProgram('curl', ['-sS', '-r', '0-1000', '-o', at('range'), url])).rejects.toThrow(
      'ended with 18',
    )
    const intact = `${registry.url}/v2/mirrored/${sourceName()}/team/multi/manifests/v1`
    expect((await fetch(intact)).status).toBe(200)
    const { code, stdout } = await registry.stop()
    expect(code).toBe(0)
    expect(stdout).toContain(`content of ${digestOf(large)} is wrong`)
    expect(stdout).toContain(blobPath(large))
  })
})

describe('serve', () => {
  it('speaks TLS', async () => {
    const { certFile, keyFile } = await authority.issue('serve')
    const flags = ['--tls-cert', certFile, '--tls-key', keyFile]
    const registry = await startServe(at('bundle.tar'), folder, flags)
    expect(registry.url).toMatch(/^https:/)
    const url = `${registry.url}/v2/${blobPath(large)}`
    await runProgram('curl', ['-fsS', '--cacert', authority.caFile, '-o', at('tls'), url])
    expect(digestOf(readFileSync(at('tls')))).toBe(digestOf(large))
    expect((await registry.stop()).code).toBe(0)
  })

  it('says what is wrong with its flags', async () => {
    const serve = (...flags: readonly string[]) => runShell(['serve', at('bundle.tar'), ...flags])
    expect(await serve('--listen', 'nonsense')).toMatchObject({ code: 2 })
    expect(await serve('--tls-cert', at('spec.yaml'))).toMatchObject({ code: 2 })
    const busy = await serve('--listen', served.host)
    expect(busy.code).toBe(2)
    expect(busy.stderr).toContain('something else listens there')
    expect(await runShell(['serve', at('none.tar')])).toMatchObject({ code: 2 })
  })
})

// --- internal ---

function withSubject(image: BuiltImage, subject: BuiltImage): BuiltImage {
  const about = { mediaType: subject.mediaType, digest: subject.digest, size: subject.raw.length }
  const json = JSON.parse(new TextDecoder().decode(image.raw)) as object
  const raw = new TextEncoder().encode(
    JSON.stringify({ ...json, artifactType: 'application/x.sig', subject: about }),
  )
  return { ...image, raw, digest: digestOf(raw) }
}
