import { describe, expect, it } from 'vitest'
import { bundledSpecs } from '../../src/bundle/spec/bundled.ts'
import { parseSpec } from '../../src/bundle/spec/spec.ts'
import { specText } from '../../src/bundle/spec/print.ts'

describe('the text of a spec', () => {
  it.each(bundledSpecs)('of $name is read back to the same', ({ text, name }) => {
    const spec = parseSpec(text, name)
    expect(parseSpec(specText(spec), name)).toEqual(spec)
  })

  it('keeps everything a spec can say', () => {
    const text = `apiVersion: ma-bundle/v1
kind: BundleSpec
name: all
version: "1.10"
description: "no: 'quotes' # are lost"
platforms: [linux/amd64, linux/arm64/v8]
mirrors: { docker.io: [mirror.gcr.io] }
groups:
  - name: g
    description: one
    optional: true
    charts: [{ name: web, version: v1.2.3+4, repository: "oci://r.example/charts", key: front }]
    images:
      - a.example/x:1
      - { reference: "b.example/x:1.10", platforms: [linux/s390x], allowMissingPlatforms: true, as: "c.example/y:2" }
    files: [{ name: f, url: "https://f.example/f", sha256: ${'ab'.repeat(32)}, size: 7 }]
bindings:
  web: [{ path: a.b, leaves: [c], reference: "x:1", also: ["y:2"], image: "z:3", where: image, hook: post-install, off: true, note: n }]
hints:
  web: [{ path: p, reference: "x:1", where: code, reason: because, when: never, action: ignore }]
  umbrella: [{ reference: "q:1", where: image, reason: r, action: bundle }]
consumer:
  chart: umbrella
  registryAt: a.registry
  chartsAt: charts
  bindings: [{ path: own, reference: "o:1", where: env }]
  sets: { front: [{ path: a.b, reference: "x:2" }] }
`
    const spec = parseSpec(text, 'all.yaml')
    const written = specText(spec)
    expect(parseSpec(written, 'all.yaml')).toEqual(spec)
    expect(specText(parseSpec(written, 'all.yaml'))).toBe(written)
  })
})
