import { tomlString, visible } from '../../../lib/text/visible.ts'
import type { NodeFile, NodeInput } from './input.ts'

/**
 * One `hosts.toml` a registry, for `config_path` or `ctr --hosts-dir`. `override_path` keeps our path instead of
 * appending `/v2` once more. `server` names the private registry again, because containerd else tries the public one
 * last, and then reports only that failure; alone, without a `[host]`, it counts for nothing:
 * https://github.com/containerd/containerd/blob/main/docs/hosts.md
 */
export const containerd = ({ upstreams, registry }: NodeInput): readonly NodeFile[] =>
  upstreams.map(({ registry: upstream, paths }) => {
    const urls = [...paths.keys()].map((path) => `${registry.url}/v2/${path}`)
    const isEcr = /\.dkr[.-]ecr/.test(registry.host)
    return {
      path: `${upstream}/hosts.toml`,
      text: [
        `# /etc/containerd/certs.d/${visible(upstream)}/hosts.toml, written by ma-bundle.`,
        ...(isEcr ? ECR_NOTES : NOTES),
        `server = ${tomlString(urls.at(-1) ?? '')}`,
        ...settings('header', isEcr),
        ...urls.flatMap((url) => [
          '',
          `[host.${tomlString(url)}]`,
          ...settings(`host.${tomlString(url)}.header`, isEcr),
        ]),
        '',
      ].join('\n'),
    }
  })

// --- internal ---

const settings = (header: string, isEcr: boolean): readonly string[] => [
  'capabilities = ["pull", "resolve"]',
  'override_path = true',
  ...[`[${header}]`, 'authorization = "Basic <token>"'].map((line) => (isEcr ? line : `# ${line}`)),
]

const NOTES = [
  '# Needs config_path = "/etc/containerd/certs.d" in the registry section of /etc/containerd/config.toml. Changes count',
  '# at once, without a restart. For a CA that the node does not know, write ca = "/path/to/ca.pem" above each header.',
  '# A registry that asks for a login takes base64 of name:password for <token>.',
]

const ECR_NOTES = [
  ...NOTES.slice(0, 2),
  '# The kubelet asks ecr-credential-provider for images named like ECR only, so mirrored names need the token here. It',
  '# ends after 12 hours: let a timer on the node run this, at first too. Values and post-render need none of it.',
  "#   token=$(aws ecr get-authorization-token --query 'authorizationData[0].authorizationToken' --output text) &&",
  '#   sed -i "s|Basic [^"]*|Basic $token|" /etc/containerd/certs.d/*/hosts.toml',
]
