import { describe, expect, it } from 'vitest'
import { BundleError } from '../../src/lib/errors.ts'
import { formatReference, parseReference } from '../../src/oci/reference.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

describe('parseReference', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.35', 'docker.io/library/busybox:1.35'],
    ['grafana/grafana:11.6.1', 'docker.io/grafana/grafana:11.6.1'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest'],
    ['index.docker.io/library/busybox:1', 'docker.io/library/busybox:1'],
    ['registry-1.docker.io/a/b:1', 'docker.io/a/b:1'],
    ['localhost/x:1', 'localhost/x:1'],
    ['localhost:5000/a/b/c', 'localhost:5000/a/b/c:latest'],
    ['127.0.0.1:5000/x:v1', '127.0.0.1:5000/x:v1'],
    ['[::1]:5000/x:v1', '[::1]:5000/x:v1'],
    ['quay.io/a/b:v1-2_3.4', 'quay.io/a/b:v1-2_3.4'],
    ['Quay.IO/a/b:v1', 'quay.io/a/b:v1'],
    [`quay.io/a/b@${DIGEST}`, `quay.io/a/b@${DIGEST}`],
    [`quay.io/a/b:v1@${DIGEST}`, `quay.io/a/b:v1@${DIGEST}`],
    ['mirror.gcr.io/library/busybox:latest', 'mirror.gcr.io/library/busybox:latest'],
  ])('completes %s to %s', (text, whole) => {
    const reference = parseReference(text)
    expect(formatReference(reference)).toBe(whole)
    expect(parseReference(whole)).toEqual(reference)
  })

  it.each([
    ['', 'repository'],
    ['quay.io/', 'repository'],
    ['quay.io/A/b', 'repository'],
    ['quay.io/a b', 'repository'],
    ['quay.io/a//b:1', 'repository'],
    ['quay.io/a:', 'tag'],
    ['quay.io/a:-x', 'tag'],
    [`quay.io/a:${'x'.repeat(129)}`, 'tag'],
    ['quay.io/a@sha256:abc', 'digest'],
    [`quay.io/a@sha512:${'a'.repeat(128)}`, 'digest'],
    ['bad_host.io/a:1', 'host'],
    ['https://quay.io/a:1', 'host'],
  ])('refuses %j and says what is wrong with its %s', (text, part) => {
    expect(() => parseReference(text)).toThrow(BundleError)
    expect(() => parseReference(text)).toThrow(part)
  })
})
