import type { NodeFile, NodeInput } from './node-config-input.ts'

/**
 * One `hosts.toml` a registry, for `config_path` or `ctr --hosts-dir`. `override_path` keeps our path instead of
 * appending `/v2` once more. `server` names the private registry again, because containerd else tries the public one
 * last, and then reports only that failure: https://github.com/containerd/containerd/blob/main/docs/hosts.md
 */
export const containerd = ({ upstreams, registry }: NodeInput): readonly NodeFile[] =>
  upstreams.map(({ registry: upstream, paths }) => {
    const urls = [...paths.keys()].map((path) => `${registry.url}/v2/${path}`)
    return {
      path: `${upstream}/hosts.toml`,
      text: [
        `# /etc/containerd/certs.d/${upstream}/hosts.toml, written by ma-bundle.`,
        ...notes(registry.host),
        `server = "${urls.at(-1)}"`,
        'capabilities = ["pull", "resolve"]',
        'override_path = true',
        ...urls.flatMap((url) => [
          '',
          `[host."${url}"]`,
          '  capabilities = ["pull", "resolve"]',
          '  override_path = true',
          `  # [host."${url}".header]`,
          '  #   authorization = "Basic <token>"',
        ]),
        '',
      ].join('\n'),
    }
  })

// --- internal ---

const notes = (host: string): readonly string[] => [
  '# Needs config_path = "/etc/containerd/certs.d" in the registry section of /etc/containerd/config.toml. Changes count',
  '# at once, without a restart. Add ca = "/path/to/ca.pem" below [host] for a CA that the node does not know.',
  ...(host.includes('.dkr.ecr') || host.includes('.dkr-ecr')
    ? [
        '# Credentials: the kubelet asks ecr-credential-provider only for images named like ECR, so a mirrored public name',
        '# comes without any. Uncomment the header and write the token of',
        "#   aws ecr get-authorization-token --query 'authorizationData[0].authorizationToken' --output text",
        '# into it by a timer on the node: it ends after 12 hours. Values and post-render need none of this.',
      ]
    : ['# Credentials for a private registry go into the header: base64 of name:password.']),
]
