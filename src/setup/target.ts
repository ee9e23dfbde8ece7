import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blobMounting } from '../aws/ecr/blob-mounting.ts'
import { createEcr, type Ecr } from '../aws/ecr/client.ts'
import { ecrLogin } from '../aws/ecr/login.ts'
import type { RepositorySettings } from '../aws/ecr/settings/repository-settings.ts'
import { parseEcrHost, whyNotEcr, type EcrHost } from '../aws/host.ts'
import { usageError } from '../lib/errors.ts'
import { isRepository } from '../oci/reference.ts'
import type { Layout } from '../bundle/format/destination.ts'
import { parseMaps, parseTemplate } from '../bundle/format/destinations/names.ts'
import { ecrTarget, registryTarget } from '../bundle/import/target.ts'
import { createUploadRecords } from '../bundle/import/upload-state.ts'
import type { Network } from '../bundle/run/network.ts'
import type { Surroundings } from '../bundle/run/surroundings.ts'
import type { ImportTarget } from '../bundle/run/target.ts'
import { connect, type NetworkSettings } from './network.ts'

/** Where things land, as people write it. */
export interface LayoutText {
  /** `host`, or `host/path`. */
  readonly registry: string
  readonly prefix: string
  readonly chartPrefix: string
  /** `from=to`, several times; `{host}/{path}`. */
  readonly map?: readonly string[] | undefined
  readonly repository?: string | undefined
  readonly endpointUrl?: string | undefined
}

/**
 * Reads where things land.
 * @throws a usage error for what cannot be a registry or a prefix, and for names that only look like ECR
 */
export function layoutOf(args: LayoutText): Layout {
  const written = args.registry.replace(/^oci:\/\//, '').replace(/\/+$/, '')
  const [registry = '', ...rest] = written.split('/')
  const path = rest.join('/')
  if (registry === '' || /^https?:$/.test(registry)) {
    throw usageError(`--registry "${args.registry}" is not a registry`, {
      next: 'write the bare host name, without https://',
    })
  }
  // Emulators give themselves names like ECR's; whoever says where their API is means them.
  const why = args.endpointUrl === undefined ? whyNotEcr(registry) : undefined
  if (why !== undefined) throw usageError(`--registry "${registry}" is not an ECR registry: ${why}`)
  for (const [flag, part] of Object.entries({
    '--registry': path,
    '--prefix': args.prefix,
    '--chart-prefix': args.chartPrefix,
  })) {
    if (part !== '' && !isRepository(part)) {
      throw usageError(`"${part}" of ${flag} cannot be part of a repository name`, {
        next: 'use lower case letters, digits and . _ - /, and start with a letter',
      })
    }
  }
  return { registry, path, ...namesOf(args) }
}

/**
 * How images and charts are called at the destination.
 * @throws a usage error for a map or a template that makes no name
 */
export function namesOf({
  prefix,
  chartPrefix,
  map = [],
  repository,
}: Omit<LayoutText, 'registry' | 'endpointUrl'>): Omit<Layout, 'registry' | 'path'> {
  const maps = parseMaps(map)
  return {
    prefix,
    chartPrefix,
    ...(maps.length === 0 ? {} : { maps }),
    ...(repository === undefined ? {} : { template: parseTemplate(repository) }),
  }
}

/** The registry that is written to, and how. */
export interface TargetSettings {
  /** Host. */
  readonly registry: string
  readonly network: NetworkSettings
  /** Of ECR, when its host does not tell it. */
  readonly region?: string | undefined
  /** Address of the ECR API; treats the registry as ECR. */
  readonly endpointUrl?: string | undefined
  /** Of repositories that are made in ECR. @throws a usage error for what ECR would refuse */
  readonly repositories: () => Promise<RepositorySettings>
  /** Changes repositories that exist to these settings, too. */
  readonly applySettings: boolean
  /** Uploads all layers to ECR in parts that continue after a cut. */
  readonly resumableUploads: boolean
}

export interface OpenedTarget {
  readonly target: ImportTarget
  readonly network: Network
  readonly isEcr: boolean
  /** The registry's own API, for what the registry protocol has no call. */
  readonly ecr?: Ecr
  close(): void
}

/** Layers from 1 GiB on are worth an upload that can continue; below 5 MiB, ECR’s least part, there is nothing to continue. */
const RESUMABLE_FROM = 1024 ** 3
const LEAST_PART = 5 * 1024 ** 2

/** Connects to the destination: ECR with its login and its API, anything else as a plain registry. */
export async function connectTarget(settings: TargetSettings, around: Surroundings): Promise<OpenedTarget> {
  const { registry, endpointUrl } = settings
  const host = parseEcrHost(registry)
  if (host === undefined && endpointUrl === undefined) {
    const network = await connect(settings.network, around, { side: 'registry' })
    return { target: registryTarget(network.client, registry), network, isEcr: false, close: () => undefined }
  }
  const ecr = createEcr({
    ...ecrPlace(host, settings),
    aws: await around.aws('registry'),
    caFiles: settings.network.caFiles,
    signal: around.signal,
    emit: around.emit,
  })
  const login = ecrLogin(ecr)
  const network = await connect(settings.network, around, {
    side: 'registry',
    own: (asked, options) => (asked === registry ? login(options) : Promise.resolve(undefined)),
  })
  const target = ecrTarget({
    client: network.client,
    registry,
    ecr,
    settings: await settings.repositories(),
    applySettings: settings.applySettings,
    mounting: async () => (await blobMounting(ecr)) === 'on',
    resumableFrom: settings.resumableUploads ? LEAST_PART : RESUMABLE_FROM,
    records: createUploadRecords(stateFolder(around), registry),
    emit: around.emit,
  })
  return { target, network, isEcr: true, ecr, close: () => ecr.close() }
}

// --- internal ---

/** https://specifications.freedesktop.org/basedir-spec/latest/ */
const stateFolder = ({ env }: Surroundings): string =>
  join(env['XDG_STATE_HOME'] || join(env['HOME'] || tmpdir(), '.local', 'state'), 'ma-bundle', 'uploads')

const ecrPlace = (
  host: EcrHost | undefined,
  { region, endpointUrl }: Pick<TargetSettings, 'region' | 'endpointUrl'>,
) => ({
  ...(host === undefined ? {} : { host }),
  ...(region === undefined ? {} : { region }),
  ...(endpointUrl === undefined ? {} : { endpointUrl }),
})
