import { describe, expect, it } from 'vitest'
import type { Binding, Recipe, Shape } from '../../../src/helm/values/binding.ts'
import { overrideValues } from '../../../src/helm/values/override.ts'
import { assignmentsFor } from '../../../src/helm/values/write/write.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`

const binding = (reference: string, shape: Shape, more: Partial<Recipe> = {}): Binding => ({
  path: ['image'],
  leaves: [],
  reference,
  references: [reference],
  where: 'image',
  at: [],
  proven: true,
  recipes: [{ shape, ...more }],
})

const map: Shape = {
  name: [
    { text: 'quay.io', leaf: ['image', 'registry'] },
    { text: '/' },
    { text: 'team/app', leaf: ['image', 'repository'] },
  ],
  tag: [{ text: 'v' }, { text: '1.0', leaf: ['image', 'tag'] }],
  digest: [],
}

const written = (one: Binding, destinationOf: (reference: string) => string, digestOf?: () => string) => {
  const { assignments, refused } = assignmentsFor([one], {
    destinationOf,
    ...(digestOf === undefined ? {} : { digestOf }),
  })
  return { values: overrideValues(assignments, {}), reasons: refused.map(({ reason }) => reason) }
}

describe('assignmentsFor', () => {
  it('puts the prefix before the first leaf and leaves the rest alone', () => {
    expect(written(binding('quay.io/team/app:v1.0', map), (one) => `ecr.example/m/${one}`).values).toEqual({
      image: { registry: 'ecr.example/m/quay.io' },
    })
  })

  it('writes the tag only where it differs, without what the template adds', () => {
    expect(
      written(binding('quay.io/team/app:v1.0', map), () => 'ecr.example/m/quay.io/team/app:v1.1').values,
    ).toEqual({
      image: { registry: 'ecr.example/m/quay.io', tag: '1.1' },
    })
  })

  it('refuses a tag that the template cannot make', () => {
    expect(
      written(binding('quay.io/team/app:v1.0', map), () => 'ecr.example/m/quay.io/team/app:1.1'),
    ).toEqual({
      values: {},
      reasons: ['the bundle has the tag "1.1", but the template makes a tag like "v…"'],
    })
  })

  it('moves to the second leaf what the first cannot carry', () => {
    expect(
      written(binding('quay.io/team/app:v1.0', map), () => 'ecr.example/m/other-name:v1.0').values,
    ).toEqual({
      image: { registry: 'ecr.example', repository: 'm/other-name' },
    })
  })

  it('keeps a registry with a port apart from a tag', () => {
    expect(
      written(binding('quay.io/team/app:v1.0', map), (one) => `ecr.example:5000/m/${one}`).values,
    ).toEqual({
      image: { registry: 'ecr.example:5000/m/quay.io' },
    })
  })

  it.each([
    ['with its prefix', '', { image: { registry: 'ecr.example/quay.io', digest: DIGEST } }],
    ['bare', 'sha256:', { image: { registry: 'ecr.example/quay.io', digest: 'a'.repeat(64) } }],
  ])('spells a digest as the chart does: %s', (_, before, expected) => {
    const one = binding('quay.io/team/app:v1.0', map, {
      digest: { path: ['image', 'digest'], before, after: '' },
    })
    expect(
      written(
        one,
        (reference) => `ecr.example/${reference}`,
        () => DIGEST,
      ).values,
    ).toEqual(expected)
  })

  it('writes one string whole', () => {
    const leaf = ['helper', 'image']
    const whole: Shape = { name: [{ text: 'busybox', leaf }], tag: [{ text: '1.36', leaf }], digest: [] }
    const one = binding('docker.io/library/busybox:1.36', whole)
    expect(written(one, (reference) => `ecr.example/${reference}`).values).toEqual({
      helper: { image: 'ecr.example/docker.io/library/busybox:1.36' },
    })
  })

  it('refuses the second of two images that want different values of one leaf', () => {
    const only: Shape = {
      name: [{ text: 'quay.io', leaf: ['hub'] }, { text: '/a' }],
      tag: [{ text: '1' }],
      digest: [],
    }
    const other: Shape = {
      name: [{ text: 'quay.io', leaf: ['hub'] }, { text: '/b' }],
      tag: [{ text: '1' }],
      digest: [],
    }
    const { assignments, refused } = assignmentsFor(
      [binding('quay.io/a:1', only), binding('quay.io/b:1', other)],
      {
        destinationOf: (one) => (one.includes('/a') ? `one.example/${one}` : `two.example/${one}`),
      },
    )
    expect(assignments).toHaveLength(1)
    expect(refused.map(({ reason }) => reason)).toEqual([
      'no value of hub makes the name two.example/quay.io/b',
    ])
  })
})

describe('overrideValues', () => {
  it('copies a list whole, and does not change the values it copies from', () => {
    const assignments = [
      { path: ['image', 'tag'], value: '1.10', references: [] },
      { path: ['list', 1, 'image'], value: 'ecr.example/b:1', references: ['quay.io/b:1'] },
    ]
    const base = { list: [{ name: 'x' }, { name: 'z', image: 'quay.io/b:1' }] }
    expect(overrideValues(assignments, base)).toEqual({
      image: { tag: '1.10' },
      list: [{ name: 'x' }, { name: 'z', image: 'ecr.example/b:1' }],
    })
    expect(base.list[1]?.image).toBe('quay.io/b:1')
  })
})
