import { tomlString } from '../../../lib/text/visible.ts'
import type { NodeFile, NodeInput } from './input.ts'

/**
 * User data of Bottlerocket: https://bottlerocket.dev/en/os/latest/api/settings/container-registry/. It goes on to the
 * public registry when a mirror fails, and cannot be configured otherwise: https://github.com/bottlerocket-os/bottlerocket/issues/4891
 */
export const bottlerocket = ({ upstreams, registry }: NodeInput): readonly NodeFile[] => [
  {
    path: 'user-data.toml',
    text: [
      '# Bottlerocket user data, written by ma-bundle. Try one pull first: endpoints with a path are taken as they are by',
      '# releases that write config.toml; should a newer one ask for /v2/…/v2/, use values, post-render or Kyverno instead.',
      '# Nodes need credentials for the private registry, which end after 12 hours with ECR; set them on the node with',
      '#   apiclient set --json \'{"container-registry": {"credentials": [{"registry": "<host>", "username": "AWS", "password": "<token>"}]}}\'',
      ...upstreams.flatMap(({ registry: upstream, paths }) => [
        '',
        '[[settings.container-registry.mirrors]]',
        `registry = ${tomlString(upstream)}`,
        `endpoint = [${[...paths.keys()].map((path) => tomlString(`${registry.url}/v2/${path}`)).join(', ')}]`,
      ]),
      '',
    ].join('\n'),
  },
]
