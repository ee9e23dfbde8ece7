import type { AwsSide } from '../aws/config/sides.ts'
import { createEcr } from '../aws/ecr/client.ts'
import { isPublicEcr, parseEcrHost, type EcrHost } from '../aws/host.ts'
import { ecrLogin, type EcrLogin } from '../aws/ecr/login.ts'
import { publicEcrLogin } from '../aws/ecr/public.ts'
import { BundleError } from '../lib/errors.ts'
import { createOnce } from '../lib/once.ts'
import type { Credentials } from '../registry/auth/credentials.ts'
import type { Surroundings } from '../bundle/run/surroundings.ts'

/**
 * Credentials of AWS for the registries of AWS, when this machine has any; nothing else is asked or answered.
 * Without them a private registry falls to docker's files, and ECR Public stays anonymous.
 */
export function awsCredentialsFor(
  { aws, signal, emit }: Surroundings,
  caFiles: readonly string[],
  side: AwsSide,
): Credentials {
  const logins = createOnce<EcrLogin | undefined>()

  const privateLogin = async (host: EcrHost): Promise<EcrLogin | undefined> => {
    const config = await aws(side)
    const ecr = createEcr({ host, aws: config, caFiles, signal, emit })
    const login = ecrLogin(ecr)
    try {
      await login()
      return login
    } catch (error) {
      ecr.close()
      // Whoever names a role or a profile wants that one, not another login that happens to lie around.
      if (!config.isChosen && error instanceof BundleError && error.kind === 'auth') return undefined
      throw error
    }
  }

  return async (registry, query) => {
    const host = parseEcrHost(registry)
    if (host === undefined && !isPublicEcr(registry)) return undefined
    const login = await logins(registry, async () =>
      host === undefined
        ? publicEcrLogin({ aws: await aws(side), caFiles, signal, emit })
        : privateLogin(host),
    )
    return login?.(query)
  }
}
