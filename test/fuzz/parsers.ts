import { gunzipSync, gzipSync } from 'node:zlib'
import { decodeVolumeList } from '../../src/archive/volumes/list.ts'
import { scanArchive } from '../../src/archive/scan.ts'
import { decodeContents } from '../../src/bundle/format/contents.ts'
import { decodeLock } from '../../src/bundle/spec/lock-file.ts'
import { openBundle } from '../../src/bundle/format/open.ts'
import { parseSpec } from '../../src/bundle/spec/spec.ts'
import { readChartMetadata } from '../../src/helm/chart.ts'
import { findInIndex } from '../../src/helm/index-file.ts'
import { bytesOf, type RandomReader } from '../../src/lib/bytes/bytes.ts'
import { redact } from '../../src/lib/redact.ts'
import { retryAfter } from '../../src/lib/retry.ts'
import { redactUrl } from '../../src/lib/url.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts'
import { parseManifest } from '../../src/oci/manifest.ts'
import { parsePlatform } from '../../src/oci/platform.ts'
import { formatReference, parseReference } from '../../src/oci/reference.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { parseChallenges } from '../../src/registry/auth/challenge.ts'
import { parseMirrors } from '../../src/registry/mirror.ts'
import { readRateLimit, resetAfter } from '../../src/registry/transport/rate-limit.ts'
import { readWords } from '../../src/registry/error-body.ts'
import { verifyBundle } from '../../src/bundle/verify/verify.ts'
import { paxRecords, tarOf, withChecksum } from '../support/tar-bytes.ts'

/** A parser that takes what strangers wrote, with honest inputs to start from. */
export interface Parser {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  /** Throws BundleErrors only; what it returns is checked by itself. */
  readonly run: (input: Uint8Array) => unknown
  /** Mends what a blind change breaks first: the sums of tar headers, the gzip around a tar. */
  readonly mend?: (input: Uint8Array) => Uint8Array
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytes = (...texts: readonly string[]): readonly Uint8Array[] =>
  texts.map((one) => new TextEncoder().encode(one))

/** Header values as node hands them over: no control characters, Latin-1. */
const header = (input: Uint8Array): string =>
  Buffer.from(input)
    .toString('latin1')
    .replace(/[^\x20-\x7e\x80-\xff]/g, '')

export function fileOf(content: Uint8Array): RandomReader {
  return {
    size: content.length,
    read: (start, length) => bytesOf(content.subarray(start, start + length)),
    close: () => Promise.resolve(),
  }
}

/** Right sums for every header, so that the change behind them is what is read. */
function mendTar(input: Uint8Array): Uint8Array {
  const tar = Buffer.from(input)
  for (let at = 0; at + 512 <= tar.length;) {
    const block = tar.subarray(at, at + 512)
    if (block.every((byte) => byte === 0)) break
    const size = Number.parseInt(block.subarray(124, 136).toString('latin1'), 8)
    withChecksum(block)
    at += 512 + (Number.isSafeInteger(size) && size > 0 ? Math.ceil(size / 512) * 512 : 0)
  }
  return tar
}

const digest = digestOf('x')
const MANIFEST = JSON.stringify({
  schemaVersion: 2,
  mediaType: OCI_MANIFEST,
  config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 1 },
  layers: [{ mediaType: 'a', digest, size: 1, urls: ['https://x.example/y'], annotations: { a: 'b' } }],
  subject: { mediaType: OCI_MANIFEST, digest, size: 1 },
  annotations: { a: 'b' },
})
const INDEX = JSON.stringify({
  schemaVersion: 2,
  mediaType: OCI_INDEX,
  manifests: [
    {
      mediaType: OCI_MANIFEST,
      digest,
      size: 1,
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
    },
  ],
})
const SPEC = `apiVersion: ma-bundle/v1
kind: BundleSpec
name: x
version: '1.0'
platforms: [linux/amd64]
mirrors: { docker.io: [mirror.gcr.io] }
groups:
  - name: a
    optional: true
    charts: [{ name: web, version: 1.2.3, repository: 'https://x.example/charts' }]
    images:
      - &one quay.io/a/b:1
      - { reference: quay.io/a/c:1, platforms: [linux/arm64], allowMissingPlatforms: true, as: docker.io/c:1 }
    files: [{ name: f, url: 'https://x.example/f', sha256: ${'a'.repeat(64)}, size: 3 }]
`
const LOCK = JSON.stringify({
  format: 'ma-bundle-lock/2',
  name: 'x',
  images: [{ name: 'quay.io/a/b:1', digest, bundled: digest, platforms: { 'linux/amd64': digest } }],
  charts: [{ name: 'web', version: '1', repository: 'https://x.example', digest }],
  files: [{ name: 'f', digest, size: 3 }],
  export: {
    platforms: ['linux/amd64'],
    groups: ['a'],
    referrers: false,
    spec: ['name: x', ''],
    bound: [{ chart: 'web', version: '1', rendered: true, bindings: [], notLanded: [], unreachable: [] }],
    proof: [{ chart: 'web', version: '1', boundCount: 1, open: [], accepted: [], failures: [] }],
  },
})
const VOLUMES = JSON.stringify({
  format: 'ma-bundle-volumes/1',
  bundle: digest,
  size: 30,
  volumes: [
    { name: 'b.tar.001', offset: 0, size: 20, sha256: 'a'.repeat(64), edges: ['a', 'b'] },
    { name: 'b.tar.002', offset: 20, size: 10, sha256: 'b'.repeat(64), edges: ['c', 'd'] },
  ],
})
const LAYOUT = tarOf(
  { path: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
  { path: 'x', type: 'x', content: paxRecords({ path: 'index.json', mtime: '1.5' }) },
  {
    path: 'short',
    content: JSON.stringify({
      manifests: [
        {
          mediaType: OCI_MANIFEST,
          digest: digestOf(MANIFEST),
          size: MANIFEST.length,
          annotations: { 'org.opencontainers.image.ref.name': 'quay.io/a/b:1' },
        },
      ],
    }),
  },
  { path: '././@LongLink', type: 'L', content: `blobs/sha256/${digestOf(MANIFEST).slice(7)}\0` },
  { path: 'blobs/sha256/cut', content: MANIFEST },
)
const CHART = tarOf(
  {
    path: 'web/Chart.yaml',
    content: 'apiVersion: v2\nname: web\nversion: 1.2.3\nmaintainers: [{ name: a }]\nannotations: { a: b }\n',
  },
  { path: 'web/values.yaml', content: 'a: 1\n' },
)

/** @param bundle bytes of a bundle that export wrote */
export function parsers(bundle: Uint8Array): readonly Parser[] {
  const options = { emit: () => undefined, signal: new AbortController().signal, concurrency: 4 }
  const size = Number.parseInt(Buffer.from(bundle.subarray(124, 136)).toString(), 8)
  return [
    { name: 'tar', seeds: [LAYOUT, bundle], run: (input) => scanArchive(fileOf(input)), mend: mendTar },
    { name: 'bundle', seeds: [bundle, LAYOUT], run: (input) => openBundle(fileOf(input)), mend: mendTar },
    {
      name: 'verify',
      seeds: [bundle, LAYOUT],
      run: (input) => verifyBundle(fileOf(input), options),
      mend: mendTar,
    },
    { name: 'bundle.json', seeds: [bundle.subarray(512, 512 + size)], run: decodeContents },
    { name: 'volumes.json', seeds: bytes(VOLUMES), run: (input) => decodeVolumeList(input, 'volumes.json') },
    { name: 'lock', seeds: bytes(LOCK), run: (input) => decodeLock(text(input), 'lock') },
    {
      name: 'spec',
      seeds: bytes(SPEC, 'images: [a/b:1]\n', '- a/b:1\n', 'a/b:1\nc/d@sha256:x\n'),
      run: (input) => parseSpec(text(input), 'spec'),
    },
    {
      name: 'manifest',
      seeds: bytes(MANIFEST, INDEX),
      run: (raw) => parseManifest({ raw, descriptor: { mediaType: OCI_MANIFEST, digest, size: raw.length } }),
    },
    {
      name: 'reference',
      seeds: bytes('quay.io/a/b:1', `localhost:5000/a/b_c--d:v1@${digest}`, 'busybox', '[::1]:5000/x'),
      run: (input) => {
        const reference = parseReference(text(input))
        const again = formatReference(parseReference(formatReference(reference)))
        if (again !== formatReference(reference)) throw new Error(`does not parse back: ${again}`)
      },
    },
    {
      name: 'platform',
      seeds: bytes('linux/amd64', 'linux/arm/v7', 'windows/amd64'),
      run: (input) => parsePlatform(text(input)),
    },
    {
      name: 'mirrors',
      seeds: bytes('docker.io=mirror.gcr.io', 'a.example/x=https://b.example/y/z'),
      run: (input) => parseMirrors([text(input)]),
    },
    {
      name: 'challenge',
      seeds: bytes(
        'Bearer realm="https://x/token",service="y",scope="repository:a:pull"',
        'Basic realm=x, Negotiate YII=, Bearer realm="a\\"b"',
      ),
      run: (input) => parseChallenges(header(input)),
    },
    {
      name: 'headers',
      seeds: bytes('120', 'Wed, 21 Oct 2026 07:28:00 GMT', '100;w=21600', '0;w=60'),
      run: (input) => {
        const value = header(input)
        const headers = new Headers({
          'retry-after': value,
          'ratelimit-limit': value,
          'ratelimit-remaining': value,
          'ratelimit-reset': value,
        })
        const found = [retryAfter(headers) ?? 0, resetAfter(headers), readRateLimit(headers)?.limit ?? 0]
        if (found.some((each) => Number.isNaN(each) || each < 0))
          throw new Error(`a strange number: ${found.join()}`)
      },
    },
    {
      name: 'words',
      seeds: bytes(
        JSON.stringify({ errors: [{ code: 'DENIED', message: 'no', detail: { a: 1 } }] }),
        '<?xml version="1.0"?><Error><Code>A</Code><Message>b</Message></Error>',
        '<html><title>x</title>',
        '{"error":"x"}',
      ),
      run: (input) => {
        const { words } = readWords(text(input), 'application/json')
        if (/\p{Cc}/u.test(words)) throw new Error('control characters came through')
      },
    },
    {
      name: 'redact',
      seeds: bytes(
        'GET https://u:p@h.example/x?X-Amz-Signature=1 failed',
        'Authorization: Bearer abcdefghijkl',
        'password="x" token: y',
      ),
      run: (input) => [redact(text(input)), redactUrl(text(input))],
    },
    {
      name: 'chart',
      seeds: [new Uint8Array(gzipSync(CHART))],
      run: (input) => readChartMetadata(input),
      mend: (input) => new Uint8Array(gzipSync(mendTar(gunzipped(input)))),
    },
    {
      name: 'index.yaml',
      seeds: bytes(
        'apiVersion: v1\nentries:\n  web:\n    - &a\n      version: 1.2.3\n      urls: [web.tgz]\n      digest: abc\n  other:\n    - *a\n',
      ),
      run: (input) => findInIndex(text(input), 'web', '1.2.3', 'fuzz'),
    },
  ]
}

// --- internal ---

function gunzipped(input: Uint8Array): Uint8Array {
  try {
    return gunzipSync(input, { maxOutputLength: 1024 * 1024 })
  } catch {
    return input
  }
}
