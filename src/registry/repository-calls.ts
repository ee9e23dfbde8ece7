import type { Call, RegistryClient } from './client.ts'

/** A repository of a registry, as the parts that speak to it share it. */
export interface RepositoryHandle {
  readonly client: RegistryClient
  readonly registry: string
  readonly repository: string
  /** Layers that the registry need not hold are fetched from where their `urls` say. */
  readonly foreign?: boolean
}

/** A call within the repository. `path` comes behind `/v2/<name>/`, unless it is a whole URL or begins with `/`. */
export function callTo(
  { registry, repository }: RepositoryHandle,
  call: Omit<Call, 'registry' | 'repository' | 'where'> & { readonly where?: string },
): Call {
  const path = /^(?:https?:\/)?\//.test(call.path) ? call.path : `/v2/${repository}/${call.path}`
  return { where: `${registry}/${repository}`, ...call, registry, repository, path }
}

/** `registry/repository:tag` or `registry/repository@digest`. */
export const nameOf = ({ registry, repository }: RepositoryHandle, reference: string): string =>
  `${registry}/${repository}${reference.includes(':') ? '@' : ':'}${reference}`
