import { describe, expect, it } from 'vitest'
import { bind, type Bindable } from '../../src/bundle/charts/write-known.ts'
import { imageRepository } from '../../src/bundle/format/destination.ts'
import { parseReference, type Reference } from '../../src/oci/reference.ts'

const layout = { registry: 'ecr.example', path: '', prefix: 'mirrored', chartPrefix: 'charts' }
const destination = (image: Reference) => `${layout.registry}/${imageRepository(layout, image)}`
const D1 = `sha256:${'1'.repeat(64)}`
const D2 = `sha256:${'2'.repeat(64)}`

function bound(binding: Partial<Bindable>, ...images: string[]) {
  const whole = { path: 'image', leaves: ['registry', 'repository', 'tag'], reference: 'nginx:1', ...binding }
  const { leaves, unbound } = bind([whole], images.map(parseReference), destination)
  return {
    values: Object.fromEntries(leaves.map(({ path, value }) => [path.join('.'), value])),
    comments: leaves.flatMap(({ comment }) => comment ?? []),
    unbound,
  }
}

describe('bind', () => {
  it.each<[string, Partial<Bindable>, string, Record<string, string>]>([
    [
      'a registry leaf takes everything before the path',
      { reference: 'quay.io/team/app:v1' },
      'quay.io/team/app:v1',
      { 'image.registry': 'ecr.example/mirrored/quay.io' },
    ],
    [
      'an implied docker.io',
      { reference: 'jaegertracing/agent:1' },
      'docker.io/jaegertracing/agent:1',
      { 'image.registry': 'ecr.example/mirrored/docker.io' },
    ],
    [
      'a single name of Docker Hub is completed',
      { reference: 'docker.io/busybox:1.35' },
      'busybox:1.35',
      { 'image.registry': 'ecr.example/mirrored/docker.io', 'image.repository': 'library/busybox' },
    ],
    [
      'a single name that is complete stays',
      { reference: 'docker.io/library/busybox:1.35' },
      'busybox:1.35',
      { 'image.registry': 'ecr.example/mirrored/docker.io' },
    ],
    [
      'no registry leaf: the whole name',
      { leaves: ['repository', 'tag', 'digest'], reference: 'busybox:latest' },
      'busybox:latest',
      { 'image.repository': 'ecr.example/mirrored/docker.io/library/busybox' },
    ],
    [
      'repo is repository',
      { leaves: ['repo', 'tag'], reference: 'cassandra:3.11.6' },
      'cassandra:3.11.6',
      { 'image.repo': 'ecr.example/mirrored/docker.io/library/cassandra' },
    ],
    [
      'registry, repository and name',
      { leaves: ['registry', 'repository', 'name', 'tag'], reference: 'quay.io/strimzi/operator:0.47.0' },
      'quay.io/strimzi/operator:0.47.0',
      { 'image.registry': 'ecr.example/mirrored/quay.io' },
    ],
    [
      'repository and name without registry',
      { leaves: ['repository', 'name'], reference: 'quay.io/strimzi/operator:0.47.0' },
      'quay.io/strimzi/operator:0.47.0',
      { 'image.repository': 'ecr.example/mirrored/quay.io/strimzi', 'image.name': 'operator' },
    ],
    [
      'a text takes the whole reference',
      { leaves: [], reference: 'amazon/aws-cli:2.25.11' },
      'docker.io/amazon/aws-cli:2.25.11',
      { image: 'ecr.example/mirrored/docker.io/amazon/aws-cli:2.25.11' },
    ],
    [
      'a text with a digest',
      { leaves: [], reference: 'quay.io/a/b:1' },
      `quay.io/a/b:1@${D1}`,
      { image: `ecr.example/mirrored/quay.io/a/b:1@${D1}` },
    ],
    [
      'the path is the list’s name when it says an alias',
      { reference: 'grafana/grafana:11.6.1' },
      'mirror.gcr.io/grafana/grafana:11.6.1',
      { 'image.registry': 'ecr.example/mirrored/mirror.gcr.io' },
    ],
    [
      'an alias in the chart',
      { leaves: ['repository', 'tag'], reference: 'k8s.gcr.io/pause:3.9' },
      'registry.k8s.io/pause:3.9',
      { 'image.repository': 'ecr.example/mirrored/registry.k8s.io/pause' },
    ],
    [
      'a port',
      { reference: 'registry.example:5000/team/app:1' },
      'registry.example:5000/team/app:1',
      { 'image.registry': 'ecr.example/mirrored/registry.example-5000' },
    ],
    [
      'another tag in the bundle',
      { reference: 'quay.io/argoproj/argoexec:v3.7.9' },
      'quay.io/argoproj/argoexec:v3.7.8',
      { 'image.registry': 'ecr.example/mirrored/quay.io', 'image.tag': 'v3.7.8' },
    ],
    [
      'a tag that the chart makes up itself is pinned',
      { reference: 'registry.k8s.io/kubectl' },
      'registry.k8s.io/kubectl:v1.32.7',
      { 'image.registry': 'ecr.example/mirrored/registry.k8s.io', 'image.tag': 'v1.32.7' },
    ],
    [
      'another image in its place',
      {
        leaves: ['repository', 'tag'],
        reference: 'migrations/console:1',
        image: parseReference('public.ecr.aws/a/console:1'),
      },
      'public.ecr.aws/a/console:1',
      { 'image.repository': 'ecr.example/mirrored/public.ecr.aws/a/console', 'image.tag': '1' },
    ],
    [
      'a digest that the bundle has not is taken out',
      { leaves: ['repository', 'tag', 'digest'], reference: `quay.io/a/b:1@${D1}` },
      'quay.io/a/b:1',
      { 'image.repository': 'ecr.example/mirrored/quay.io/a/b', 'image.digest': '' },
    ],
    [
      'the same digest stays',
      { leaves: ['repository', 'tag', 'digest'], reference: `quay.io/a/b@${D1}` },
      `quay.io/a/b@${D1}`,
      { 'image.repository': 'ecr.example/mirrored/quay.io/a/b' },
    ],
    [
      'by digest only',
      { leaves: ['repository', 'tag', 'digest'], reference: 'quay.io/a/b:1' },
      `quay.io/a/b@${D2}`,
      { 'image.repository': 'ecr.example/mirrored/quay.io/a/b', 'image.digest': D2 },
    ],
    [
      'sha has no algorithm',
      { leaves: ['repository', 'tag', 'sha'], reference: 'quay.io/a/b:1' },
      `quay.io/a/b@${D2}`,
      { 'image.repository': 'ecr.example/mirrored/quay.io/a/b', 'image.sha': '2'.repeat(64) },
    ],
  ])('%s', (_, binding, image, values) => {
    expect(bound(binding, image)).toMatchObject({ values, unbound: [] })
  })

  it('says in a comment what the chart’s own tag is', () => {
    expect(bound({ reference: 'nginx:1' }, 'nginx:2').comments).toEqual(["the chart's own is 1"])
    expect(bound({ reference: 'nginx:1' }, 'nginx:1').comments).toEqual([])
  })

  it('takes the same tag among several, and the same registry among aliases', () => {
    expect(bound({ reference: 'nginx:2' }, 'nginx:1', 'nginx:2', 'nginx:3').values).not.toHaveProperty(
      'image.tag',
    )
    expect(bound({ reference: 'nginx:1' }, 'mirror.gcr.io/library/nginx:1', 'nginx:1').values).toMatchObject({
      'image.registry': 'ecr.example/mirrored/docker.io',
    })
  })

  it.each<[string, Partial<Bindable>, string[], string]>([
    ['is not in the bundle', {}, ['quay.io/other/nginx:1'], 'the bundle does not have it'],
    [
      'is there in other versions only',
      { reference: 'nginx:1' },
      ['nginx:3', 'nginx:2'],
      'the bundle has 2, 3 of it',
    ],
    [
      'would need a tag that cannot be written',
      { leaves: ['registry', 'repository'], reference: 'nginx:1' },
      ['nginx:2'],
      'the bundle has 2, and no value of the chart changes the tag',
    ],
    [
      'is there by digest only, and the chart knows none',
      { reference: 'nginx:1' },
      [`nginx@${D1}`],
      'the bundle has it by digest only, and the chart has no value for a digest',
    ],
  ])('leaves alone what %s', (_, binding, images, reason) => {
    const { values, unbound } = bound(binding, ...images)
    expect(values).toEqual({})
    expect(unbound).toEqual([{ path: 'image', reference: 'docker.io/library/nginx:1', reason, off: false }])
  })

  it('tells which further references of a place are not in the bundle', () => {
    const binding = {
      reference: 'quay.io/s/kafka:1-3.9.0',
      also: ['quay.io/s/kafka:1-3.9.1', 'quay.io/s/kafka:1-4.0.0'],
    }
    const { values, unbound } = bound(binding, 'quay.io/s/kafka:1-3.9.0', 'quay.io/s/kafka:1-4.0.0')
    expect(values).toEqual({ 'image.registry': 'ecr.example/mirrored/quay.io' })
    expect(unbound.map(({ reference }) => reference)).toEqual(['quay.io/s/kafka:1-3.9.1'])
  })

  it('does not let two images fight for one leaf', () => {
    const shared = { path: 'image', leaves: ['repository', 'tag'] }
    const { leaves, unbound } = bind(
      [
        { ...shared, reference: 'nginx:1' },
        { ...shared, reference: 'redis:1' },
      ],
      ['nginx:1', 'redis:1'].map(parseReference),
      destination,
    )
    expect(leaves).toHaveLength(1)
    expect(unbound).toMatchObject([
      { reference: 'docker.io/library/redis:1', reason: 'image.repository already names another image' },
    ])
  })

  it('follows any destination', () => {
    const flat = (image: Reference) => `ecr.example/all-in-one/${image.repository.replaceAll('/', '-')}`
    const { leaves } = bind(
      [{ path: 'image', leaves: ['registry', 'repository', 'tag'], reference: 'quay.io/team/app:1' }],
      [parseReference('quay.io/team/app:1')],
      flat,
    )
    expect(leaves.map(({ path, value }) => [path.join('.'), value])).toEqual([
      ['image.registry', 'ecr.example'],
      ['image.repository', 'all-in-one/team-app'],
    ])
  })
})
