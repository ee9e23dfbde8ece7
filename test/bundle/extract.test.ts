import { describe, expect, it } from 'vitest'
import type { RootContents } from '../../src/bundle/format/contents.ts'
import { chooseRoots } from '../../src/bundle/extract/extract.ts'
import { digestOf } from '../../src/oci/digest.ts'

const image = (name: string): RootContents => ({
  kind: 'image',
  name,
  digest: digestOf(name),
  size: 1,
  mediaType: 'x',
  platforms: [],
})
const roots: readonly RootContents[] = [
  image('docker.io/library/busybox:1.36'),
  image('docker.io/library/busybox:latest'),
  image('quay.io/jetstack/cert-manager:v1.17.2'),
  image(`ghcr.io/x/pinned@${digestOf('pinned')}`),
  {
    kind: 'chart',
    name: 'cert-manager:1.17.2',
    chart: 'cert-manager',
    version: '1.17.2',
    repository: '',
    digest: digestOf('c'),
    size: 1,
    mediaType: 'x',
  },
  { kind: 'file', name: 'dash.json', digest: digestOf('f'), size: 1 },
]
const chosen = (...names: readonly string[]): readonly string[] =>
  chooseRoots(roots, names).map(({ name }) => name)

describe('chooseRoots', () => {
  it('takes all when nothing is named, and each once', () => {
    expect(chosen()).toHaveLength(roots.length)
    expect(chosen('dash.json', 'dash.json')).toEqual(['dash.json'])
  })

  it.each([
    ['docker.io/library/busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['busybox', 'docker.io/library/busybox:latest'],
    ['library/busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['jetstack/cert-manager', 'quay.io/jetstack/cert-manager:v1.17.2'],
    ['cert-manager:v1.17.2', 'quay.io/jetstack/cert-manager:v1.17.2'],
    ['cert-manager:1.17.2', 'cert-manager:1.17.2'],
    ['pinned', `ghcr.io/x/pinned@${digestOf('pinned')}`],
    ['dash.json', 'dash.json'],
  ])('knows what %s means', (written, name) => {
    expect(chosen(written)).toEqual([name])
  })

  it('asks when there are several, and helps with slips', () => {
    expect(() => chosen('cert-manager')).toThrow(/may be quay\.io.* or cert-manager:1\.17\.2/)
    expect(() => chosen('dash.jsn')).toThrow(expect.objectContaining({ next: 'did you mean dash.json?' }))
  })
})
