import { invalidParameter } from '../errors.ts'
import { text } from '../input.ts'
import type { Operations } from '../operation.ts'

const DEFAULTS: Readonly<Record<string, string>> = {
  BASIC_SCAN_TYPE_VERSION: 'AWS_NATIVE',
  BLOB_MOUNTING: 'DISABLED',
  REGISTRY_POLICY_SCOPE: 'V2',
}

/** The registry itself: its login, its settings. */
export const account: Operations = {
  GetAuthorizationToken({ registry, key, principal, tokens }) {
    const { token, expiresAt } = tokens.issue(principal, key.accessKeyId)
    return {
      authorizationData: [
        { authorizationToken: token, expiresAt, proxyEndpoint: `${registry.scheme}://${registry.address()}` },
      ],
    }
  },

  GetAccountSetting({ registry, input }) {
    const name = settingName(text(input, 'name'))
    return { name, value: registry.settings.get(name) ?? DEFAULTS[name] }
  },

  PutAccountSetting({ registry, input }) {
    const name = settingName(text(input, 'name'))
    const value = text(input, 'value')
    if (name === 'BLOB_MOUNTING' && value !== 'ENABLED' && value !== 'DISABLED')
      throw invalidParameter('value', 'Member must satisfy enum value set: [ENABLED, DISABLED]')
    registry.settings.set(name, value)
    return { name, value }
  },

  DescribeRepositoryCreationTemplates: ({ registry }) => ({
    registryId: registry.account,
    repositoryCreationTemplates:
      registry.createOnPush === false ? [] : [{ prefix: 'ROOT', appliedFor: ['CREATE_ON_PUSH'] }],
  }),

  DescribeRegistry: ({ registry }) => ({
    registryId: registry.account,
    replicationConfiguration: { rules: [] },
  }),
}

// --- internal ---

function settingName(name: string): string {
  if (!(name in DEFAULTS))
    throw invalidParameter(
      'name',
      `Member must satisfy enum value set: [${Object.keys(DEFAULTS).join(', ')}]`,
    )
  return name
}
