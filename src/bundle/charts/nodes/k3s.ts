import { yamlText } from '../../../lib/text/yaml.ts'
import { visible } from '../../../lib/text/visible.ts'
import type { NodeFile, NodeInput, Upstream } from './input.ts'

/**
 * `registries.yaml` of K3s and RKE2: https://docs.k3s.io/installation/private-registry#rewrites. Rewrites are tried in no
 * order, so where one registry has several paths, they name their repositories.
 */
export const k3s = ({ upstreams, registry }: NodeInput): readonly NodeFile[] => [
  {
    path: 'registries.yaml',
    text: `${notes(registry.host)}${yamlText(
      {
        mirrors: Object.fromEntries(
          upstreams.map((upstream) => [
            upstream.registry,
            { endpoint: [registry.url], rewrite: rewrites(upstream) },
          ]),
        ),
      },
      { lineWidth: 0 },
    )}`,
  },
]

// --- internal ---

function rewrites({ paths }: Upstream): Readonly<Record<string, string>> {
  if (paths.size === 1) return { '^(.*)$': `${[...paths.keys()][0] ?? ''}/$1` }
  return Object.fromEntries(
    [...disjoint(paths)].map(([path, repositories]) => [
      `^(${repositories.map((name) => name.replaceAll('.', '\\.')).join('|')})$`,
      `${path}/$1`,
    ]),
  )
}

/** Each repository below its first path only. */
function disjoint(paths: Upstream['paths']): ReadonlyMap<string, readonly string[]> {
  const taken = new Set<string>()
  const left = new Map<string, readonly string[]>()
  for (const [path, repositories] of paths) {
    const own = repositories.filter((name) => !taken.has(name))
    for (const name of own) taken.add(name)
    if (own.length > 0) left.set(path, own)
  }
  return left
}

const notes = (
  host: string,
): string => `# /etc/rancher/k3s/registries.yaml (RKE2: /etc/rancher/rke2), written by ma-bundle. Restart k3s to apply it.
# Start nodes with --disable-default-registry-endpoint, or failing pulls go on to the public registries.
# Credentials go below: configs: { "${visible(host)}": { auth: { username: AWS, password: <token> } } }
# A token of ECR ends after 12 hours: renew it by a timer, or use values and post-render instead.
`
