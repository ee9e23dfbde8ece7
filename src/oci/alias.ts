/**
 * Hosts that are other names of a registry: the same path there is the same image. One table, because export, import
 * and the values override have to agree on where an image lands.
 * - mirror.gcr.io: https://cloud.google.com/artifact-registry/docs/pull-cached-dockerhub-images
 * - k8s.gcr.io: https://kubernetes.io/blog/2023/03/10/image-registry-redirect/
 * - ecr-public.aws.com: the dual-stack name of public.ecr.aws
 */
const ALIASES: Readonly<Record<string, string>> = {
  'index.docker.io': 'docker.io',
  'registry-1.docker.io': 'docker.io',
  'registry.hub.docker.com': 'docker.io',
  'registry.docker.io': 'docker.io',
  'hub.docker.com': 'docker.io',
  'www.docker.io': 'docker.io',
  'mirror.gcr.io': 'docker.io',
  'k8s.gcr.io': 'registry.k8s.io',
  'ecr-public.aws.com': 'public.ecr.aws',
}

/** The name a registry goes by in a bundle and behind the prefix at the destination; lower case, port kept. */
export function canonicalRegistry(host: string): string {
  const name = host.toLowerCase().replace(/:443$/, '')
  return ALIASES[name] ?? name
}

/** Every name of the registry, the canonical one first. */
export function aliasesOf(host: string): readonly string[] {
  const name = canonicalRegistry(host)
  return [name, ...Object.keys(ALIASES).filter((alias) => ALIASES[alias] === name)]
}
