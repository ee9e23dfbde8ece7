import { describe, expect, test } from 'vitest'
import { BundleError } from '../../src/lib/errors.ts'
import { aliasesOf, canonicalRegistry } from '../../src/oci/alias.ts'
import { formatReference, parseReference } from '../../src/oci/reference.ts'
import { candidates, mergeMirrors, parseMirrors, urlCandidates } from '../../src/registry/mirror.ts'

const places = (reference: string, ...texts: string[]): string[] =>
  candidates(parseReference(reference), parseMirrors(texts)).map(formatReference)

describe('candidates', () => {
  test('are the origin alone without mirrors', () => {
    expect(places('quay.io/a/b:1')).toEqual(['quay.io/a/b:1'])
    expect(places('quay.io/a/b:1', 'docker.io=mirror.gcr.io')).toEqual(['quay.io/a/b:1'])
  })

  test('are the mirrors in order, then the origin', () => {
    expect(
      places('nginx:1.27', 'docker.io=mirror.gcr.io,public.ecr.aws/docker', 'docker.io=reg.example:5000/hub'),
    ).toEqual([
      'mirror.gcr.io/library/nginx:1.27',
      'public.ecr.aws/docker/library/nginx:1.27',
      'reg.example:5000/hub/library/nginx:1.27',
      'docker.io/library/nginx:1.27',
    ])
  })

  test('keep tag and digest', () => {
    const pinned = `bitnami/redis:7@sha256:${'a'.repeat(64)}`
    expect(places(pinned, 'docker.io=mirror.gcr.io')[0]).toBe(`mirror.gcr.io/${pinned}`)
  })

  test('replace a path prefix at its borders only, the most specific first', () => {
    const rules = ['quay.io=all.example/quay', 'quay.io/jetstack=reg.example/certs']
    expect(places('quay.io/jetstack/controller:1', ...rules)).toEqual([
      'reg.example/certs/controller:1',
      'all.example/quay/jetstack/controller:1',
      'quay.io/jetstack/controller:1',
    ])
    expect(places('quay.io/jetstacks/controller:1', 'quay.io/jetstack=reg.example/certs')).toHaveLength(1)
  })

  test.each(['index.docker.io', 'registry-1.docker.io', 'docker.io'])(
    'know that %s is Docker Hub',
    (origin) => {
      expect(places('nginx:1', `${origin}=reg.example`)[0]).toBe('reg.example/library/nginx:1')
    },
  )

  test('name no place twice', () => {
    expect(places('mirror.gcr.io/library/nginx:1', 'docker.io=mirror.gcr.io')).toEqual([
      'mirror.gcr.io/library/nginx:1',
    ])
  })

  test('take the prefixes of an ECR pull-through cache', () => {
    const cache = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/docker-hub'
    expect(places('nginx:1', `docker.io=${cache}`)[0]).toBe(`${cache}/library/nginx:1`)
  })
})

describe('urlCandidates', () => {
  test('replace the beginning of a chart repository', () => {
    const mirrors = parseMirrors(['https://charts.example/stable/=https://nexus.example/repository/charts/'])
    expect(urlCandidates('https://charts.example/stable/index.yaml', mirrors)).toEqual([
      'https://nexus.example/repository/charts/index.yaml',
      'https://charts.example/stable/index.yaml',
    ])
    expect(urlCandidates('https://charts.example/stables', mirrors)).toEqual([
      'https://charts.example/stables',
    ])
  })
})

describe('parseMirrors', () => {
  test.each([
    'docker.io',
    '=mirror.gcr.io',
    'docker.io=',
    'docker.io=a.example,,b.example',
    'docker.io=UPPER CASE',
    'docker.io=nginx',
    'docker.io=https://a.example',
    'https://a=b.example',
  ])('refuses %j', (text) => {
    expect(() => parseMirrors([text])).toThrow(BundleError)
  })

  test('merges, asking those of the first first', () => {
    const merged = mergeMirrors(
      parseMirrors(['docker.io=a.example']),
      parseMirrors(['index.docker.io=b.example,a.example']),
    )
    expect([...merged]).toEqual([['docker.io', ['a.example', 'b.example']]])
  })
})

describe('aliases', () => {
  test.each([
    ['mirror.gcr.io', 'docker.io'],
    ['Index.Docker.io', 'docker.io'],
    ['docker.io', 'docker.io'],
    ['k8s.gcr.io', 'registry.k8s.io'],
    ['quay.io:443', 'quay.io'],
    ['reg.example:5000', 'reg.example:5000'],
  ])('%s is %s', (host, name) => {
    expect(canonicalRegistry(host)).toBe(name)
    expect(aliasesOf(host)[0]).toBe(name)
  })
})
