import { runCli, type CliOutcome } from '../support/cli.ts'
import { startEcr, type Ecr } from '../support/ecr/server.ts'
import { helmBinary, type HelmMajor } from '../support/helm.ts'
import { portOf, startNameProxy } from '../support/name-proxy.ts'
import { doWhatIsPrinted, type Installed } from '../support/printed.ts'

export const ECR = '123456789012.dkr.ecr.eu-central-1.amazonaws.com'
export const API = 'api.ecr.eu-central-1.amazonaws.com'
export const STS = 'sts.eu-central-1.amazonaws.com'
/** Where ECR keeps layers. */
export const BUCKET = 'prod-eu-central-1-starport-layer-bucket.s3.eu-central-1.amazonaws.com'

export interface Inside {
  readonly imported: CliOutcome
  /** Nothing when the import failed, or no helm was given. */
  readonly installed?: Installed
  /** `repository:tag` of all that the registry holds. */
  readonly tags: ReadonlySet<string>
}

/** The person who installs. */
export interface Installer {
  /** Whose helm it is; without one nothing is installed. */
  readonly major?: HelmMajor
  /** For charts that ask for a newer cluster than that helm knows. */
  readonly kubeVersion?: string
  /** Where the names of ECR lead by this proxy only. */
  readonly proxy?: string
}

interface Place {
  /** A folder with `bundle.tar`. */
  readonly cwd: string
  readonly PATH: string
}

/** Imports `bundle.tar` of a folder into a double of ECR by its real names, and does exactly what is printed. */
export async function inside(at: Place, installer: Omit<Installer, 'proxy'> = {}): Promise<Inside> {
  const options: { quotas: 'none'; downloadOrigin?: string } = { quotas: 'none' }
  const ecr = await startEcr(options)
  options.downloadOrigin = `https://${BUCKET}`
  const ports: Readonly<Record<string, number>> = {
    [ECR]: portOf(ecr.registry),
    [API]: portOf(ecr.endpoint),
    [STS]: portOf(ecr.endpoint),
    [BUCKET]: portOf(ecr.downloadOrigin),
  }
  const proxy = await startNameProxy((host) => ports[host])
  try {
    return await importAndInstall(ecr, at, { ...installer, proxy: proxy.url })
  } finally {
    await proxy.stop()
    await ecr.stop()
  }
}

/** The same with an ECR that runs already. */
export async function importAndInstall(
  ecr: Ecr,
  { cwd, PATH }: Place,
  { major, kubeVersion, proxy }: Installer,
): Promise<Inside> {
  const way = proxy === undefined ? {} : { HTTPS_PROXY: proxy }
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = ecr.environment
  const imported = await runCli(['import', 'bundle.tar', '--registry', ECR], {
    cwd,
    env: { ...way, MA_BUNDLE_CA_FILE: ecr.caFile, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, PATH },
  })
  const tags = new Set(Object.keys(ecr.tags()))
  if (imported.code !== 0 || major === undefined) return { imported, tags }
  const installed = await doWhatIsPrinted(imported.stdout, cwd, {
    helm: await helmBinary(major),
    env: { ...way, SSL_CERT_FILE: ecr.caFile },
    password: Buffer.from(ecr.token(), 'base64').toString().replace(/^AWS:/, ''),
    ...(kubeVersion === undefined ? {} : { kubeVersion }),
  })
  return { imported, installed, tags }
}
