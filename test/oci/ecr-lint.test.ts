import { describe, expect, test } from 'vitest'
import { lintForEcr, lintTagForEcr } from '../../src/aws/ecr/manifest-rules.ts'
import {
  DOCKER_LIST,
  DOCKER_SCHEMA1_SIGNED,
  HELM_CONFIG,
  OCI_INDEX,
  OCI_MANIFEST,
} from '../../src/oci/media-types.ts'

const digest = `sha256:${'a'.repeat(64)}`
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', digest, size: 7 }
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 }
const image = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] }

const lint = (manifest: unknown, mediaType: string = OCI_MANIFEST) =>
  lintForEcr(new TextEncoder().encode(JSON.stringify(manifest)), mediaType)
const rules = (manifest: unknown, mediaType?: string) => lint(manifest, mediaType).map(({ rule }) => rule)

describe('lintForEcr', () => {
  test.each([
    ['an image', image],
    ['a chart', { ...image, config: { ...config, mediaType: HELM_CONFIG } }],
    [
      'a chart as Helm pushes it',
      { schemaVersion: 2, config: { ...config, mediaType: HELM_CONFIG }, layers: [layer] },
    ],
    [
      'an image with annotations of its own and of layers',
      { ...image, annotations: { a: 'b' }, layers: [{ ...layer, annotations: { a: 'b' } }] },
    ],
    [
      'an artifact with a subject',
      { ...image, artifactType: 'application/vnd.example', subject: { ...layer, mediaType: OCI_MANIFEST } },
    ],
    [
      'an index',
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ ...layer, mediaType: OCI_MANIFEST }] },
    ],
    ['a list', { schemaVersion: 2, mediaType: DOCKER_LIST, manifests: [] }],
  ])('has nothing to say about %s', (_, manifest) => {
    expect(lint(manifest, String(Object(manifest)['mediaType']))).toEqual([])
  })

  test.each([
    ['media-type-missing', { ...image, mediaType: undefined }],
    ['media-type-missing', { schemaVersion: 2, manifests: [] }],
    [
      'media-type-parameters',
      { ...image, artifactType: 'application/vnd.dev.sigstore.bundle+json;version=0.2' },
    ],
    ['media-type-parameters', { ...image, layers: [{ ...layer, mediaType: 'application/x; a=b' }] }],
    ['media-type-parameters', { ...image, config: { ...config, mediaType: 'application/x;a=b' } }],
    [
      'media-type-parameters',
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ ...layer, artifactType: 'a/b;c=d' }] },
    ],
    ['config-annotations', { ...image, config: { ...config, annotations: {} } }],
    ['no-layers', { ...image, layers: [] }],
    ['no-layers', { ...image, layers: undefined }],
    ['empty-blob', { ...image, layers: [layer, { ...layer, size: 0 }] }],
    ['empty-blob', { ...image, config: { ...config, size: 0 } }],
    ['layer-size', { ...image, layers: [{ ...layer, size: 52_001 * 1024 * 1024 }] }],
    [
      'attestation-artifact',
      { ...image, artifactType: 'application/vnd.docker.attestation.manifest.v1+json' },
    ],
    ['schema1', { schemaVersion: 1, fsLayers: [] }],
    ['not-json', [image]],
  ])('finds %s', (rule, manifest) => {
    const mediaType = Object(manifest)['manifests'] === undefined ? OCI_MANIFEST : OCI_INDEX
    const findings = lint(manifest, mediaType)
    expect(findings.map((finding) => finding.rule)).toEqual([rule])
    for (const { what, remedy } of findings) {
      expect(what.length).toBeGreaterThan(20)
      expect(remedy).not.toMatch(/\.$/)
    }
  })

  test('names a type with parameters once, however many layers have it', () => {
    const typed = { ...layer, mediaType: 'application/x;a=b' }
    expect(rules({ ...image, layers: [typed, typed, typed] })).toEqual(['media-type-parameters'])
  })

  test('finds several at once', () => {
    expect(rules({ schemaVersion: 2, config: { ...config, size: 0 }, layers: [] })).toEqual([
      'media-type-missing',
      'no-layers',
      'empty-blob',
    ])
  })

  test('knows a schema 1 image by its media type', () => {
    expect(rules({ signatures: [] }, DOCKER_SCHEMA1_SIGNED)).toEqual(['schema1'])
  })

  test('counts bytes, not characters', () => {
    const padding = 'ä'.repeat(2 * 1024 * 1024)
    expect(rules({ ...image, annotations: { padding } })).toEqual(['manifest-size'])
  })

  test('survives bytes that are no text', () => {
    expect(lintForEcr(new Uint8Array([0xff, 0xfe, 0]), OCI_MANIFEST).map(({ rule }) => rule)).toEqual([
      'not-json',
    ])
  })
})

describe('lintTagForEcr', () => {
  test.each(['1.0.0', 'latest', '_x', 'v1.2.3-rc.1_build.5', 'a'.repeat(128)])('takes %s', (tag) => {
    expect(lintTagForEcr(tag)).toEqual([])
  })

  test.each([
    ['1.0.0+build', 'write "_" for "+"'],
    ['.x', 'begin with a letter'],
    ['', '1 to 128'],
    ['a'.repeat(129), '1 to 128'],
  ])('refuses %s', (tag, remedy) => {
    expect(lintTagForEcr(tag)[0]?.remedy).toContain(remedy)
  })
})
