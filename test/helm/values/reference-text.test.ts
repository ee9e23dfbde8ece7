import { describe, expect, it } from 'vitest'
import { looksLikeStem, mentionsIn } from '../../../src/helm/values/reference-text.ts'

const found = (text: string, hint: 'image' | 'named' | 'none' = 'none') =>
  mentionsIn(text, hint).map((one) => one.text)

describe('mentionsIn', () => {
  it.each([
    ['--image=quay.io/a/b:1', ['quay.io/a/b:1']],
    ['--sidecar-image=busybox:1.36', ['busybox:1.36']],
    ['3.9.0=quay.io/a/b:1-3.9.0\n4.0.0=quay.io/a/b:1-4.0.0', ['quay.io/a/b:1-3.9.0', 'quay.io/a/b:1-4.0.0']],
    ['ghcr.io/a/b:1,team/c:2.0', ['ghcr.io/a/b:1', 'team/c:2.0']],
    ['kubectl run x --image "registry.k8s.io/pause:3.9" && true', ['registry.k8s.io/pause:3.9']],
    ['{"image": "team/app", "name": "x"}', ['team/app']],
    ['docker://quay.io/a/b:1', ['quay.io/a/b:1']],
    [`localhost:5000/a@sha256:${'0'.repeat(64)}`, [`localhost:5000/a@sha256:${'0'.repeat(64)}`]],
  ])('finds the references of %j', (text, references) => {
    expect(found(text)).toEqual(references)
  })

  it.each([
    'https://quay.io/a/b:1',
    'cert-manager.io/v1',
    'kubernetes.io/os:linux',
    '--listen=0.0.0.0:8080',
    'application/json',
    '/var/run/app:ro',
    'quay.io/$REPOSITORY:1.0',
    'http.svc.cluster.local:8080/path',
    '--image-pull-policy=Always',
    'namespace:pod:cpu:sum',
    'user@example.com',
    'example.com/path:8443',
  ])('finds none in %j', (text) => {
    expect(found(text)).toEqual([])
  })

  it('takes a whole field that is an image at its word', () => {
    expect(found('busybox', 'image')).toEqual(['busybox'])
    expect(found('busybox', 'named')).toEqual([])
  })

  it('stays quick on long text', () => {
    expect(found('a/'.repeat(500_000))).toEqual([])
  })
})

describe('looksLikeStem', () => {
  it('knows the beginning of a name', () => {
    expect(looksLikeStem('team/runner-')).toBe(true)
    expect(looksLikeStem('team/runner')).toBe(false)
    expect(looksLikeStem('-')).toBe(false)
  })
})
