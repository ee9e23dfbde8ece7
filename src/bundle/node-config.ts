import { canonicalRegistry } from '../oci/alias.ts'
import { parseReference } from '../oci/reference.ts'
import { stringify } from 'yaml'
import type { RootContents } from './contents.ts'
import { imageRepository, type Layout } from './destination.ts'

/** Configuration outside the charts that sends pulls of public names to the private registry. */
export const NODE_FORMATS = ['containerd', 'k3s', 'bottlerocket', 'kyverno'] as const
export type NodeFormat = (typeof NODE_FORMATS)[number]

/** A public registry and the paths below the private one that hold its images, most used first. */
interface Upstream {
  readonly registry: string
  /** `mirrored/quay.io`. */
  readonly paths: readonly string[]
}

/** Text of one format. Plain http is spoken to loopback only. */
export function nodeConfig(format: NodeFormat, roots: readonly RootContents[], layout: Layout): string {
  const upstreams = upstreamsOf(roots, layout)
  const scheme = /^(?:localhost|127\.|\[::1\])/.test(layout.registry) ? 'http' : 'https'
  const base = `${scheme}://${layout.registry}`
  return { containerd, k3s, bottlerocket, kyverno }[format](upstreams, base, layout.registry)
}

// --- internal ---

function upstreamsOf(roots: readonly RootContents[], layout: Layout): readonly Upstream[] {
  const paths = new Map<string, Map<string, number>>()
  for (const root of roots) {
    if (root.kind !== 'image') continue
    const name = parseReference(root.name)
    const registry = canonicalRegistry(name.registry)
    const whole = imageRepository(layout, name)
    const path = whole.slice(0, whole.length - name.repository.length - 1)
    const counts = paths.get(registry) ?? new Map<string, number>()
    counts.set(path, (counts.get(path) ?? 0) + 1)
    paths.set(registry, counts)
  }
  return [...paths]
    .map(([registry, counts]) => ({
      registry,
      paths: [...counts].toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([path]) => path),
    }))
    .toSorted((a, b) => (a.registry < b.registry ? -1 : 1))
}

const HEAD = '# Written by ma-bundle. Nodes need credentials for the private registry as well.\n'

/** https://github.com/containerd/containerd/blob/main/docs/hosts.md: one file a registry; `override_path` keeps ours. */
const containerd = (upstreams: readonly Upstream[], base: string): string =>
  HEAD +
  upstreams
    .map(({ registry, paths }) =>
      [
        `\n# /etc/containerd/certs.d/${registry}/hosts.toml`,
        ...paths.flatMap((path) => [
          `[host."${base}/v2/${path}"]`,
          '  capabilities = ["pull", "resolve"]',
          '  override_path = true',
        ]),
        '',
      ].join('\n'),
    )
    .join('')

/** https://docs.k3s.io/installation/private-registry: /etc/rancher/k3s/registries.yaml. One rewrite a registry. */
const k3s = (upstreams: readonly Upstream[], base: string): string =>
  `${HEAD}# /etc/rancher/k3s/registries.yaml\n${stringify({
    mirrors: Object.fromEntries(
      upstreams.map(({ registry, paths: [path = ''] }) => [
        registry,
        { endpoint: [base], rewrite: { '^(.*)$': `${path}/$1` } },
      ]),
    ),
  })}`

/** https://bottlerocket.dev/en/os/latest/api/settings/container-registry/: user data. */
const bottlerocket = (upstreams: readonly Upstream[], base: string): string =>
  HEAD +
  upstreams
    .map(({ registry, paths }) =>
      [
        '\n[[settings.container-registry.mirrors]]',
        `registry = "${registry}"`,
        `endpoint = [${paths.map((path) => `"${base}/v2/${path}"`).join(', ')}]`,
        '',
      ].join('\n'),
    )
    .join('')

/** https://kyverno.io/docs/writing-policies/mutate/#foreach: rewrites pods as they are admitted. */
function kyverno(upstreams: readonly Upstream[], _base: string, registry: string): string {
  const rules = upstreams.flatMap(({ registry: upstream, paths: [path = ''] }) =>
    (['initContainers', 'containers', 'ephemeralContainers'] as const).map((list) => ({
      name: `${upstream}-${list}`
        .toLowerCase()
        .replaceAll(/[^a-z0-9-]+/g, '-')
        .slice(0, 63),
      match: { any: [{ resources: { kinds: ['Pod'], operations: ['CREATE', 'UPDATE'] } }] },
      mutate: {
        foreach: [
          {
            list: `request.object.spec.${list} || \`[]\``,
            preconditions: {
              all: [
                {
                  key: `{{ images.${list}."{{element.name}}".registry }}`,
                  operator: 'AnyIn',
                  value: upstream === 'docker.io' ? ['docker.io', 'index.docker.io'] : [upstream],
                },
              ],
            },
            patchStrategicMerge: {
              spec: {
                [list]: [
                  {
                    name: '{{ element.name }}',
                    image: `${registry}/${path}/{{ images.${list}."{{element.name}}".path }}:{{ images.${list}."{{element.name}}".tag }}`,
                  },
                ],
              },
            },
          },
        ],
      },
    })),
  )
  return `${HEAD}${stringify(
    {
      apiVersion: 'kyverno.io/v1',
      kind: 'ClusterPolicy',
      metadata: {
        name: 'ma-bundle-private-registry',
        annotations: { 'pod-policies.kyverno.io/autogen-controllers': 'none' },
      },
      spec: { background: false, rules },
    },
    { lineWidth: 0 },
  )}`
}
