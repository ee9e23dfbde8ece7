import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEcr, type Ecr } from '../../aws/ecr/client.ts'
import { parseEcrHost, whyNotEcr, type EcrHost } from '../../aws/host.ts'
import { ecrLogin } from '../../aws/ecr/login.ts'
import { blobMounting } from '../../aws/ecr/blob-mounting.ts'
import type { Layout } from '../../bundle/format/destination.ts'
import type { ImportTarget } from '../../bundle/run/target.ts'
import type { Session as Journey } from '../../bundle/run/network.ts'
import { ecrTarget, registryTarget } from '../../bundle/import/target.ts'
import { createUploadRecords } from '../../bundle/import/upload-state.ts'
import { usageError } from '../../lib/errors.ts'
import { isRepository } from '../../oci/reference.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import { openNetwork, type NetworkArgs } from './network.ts'
import { readSettings, type RepositoryArgs } from './repository.ts'
import type { Session } from '../session.ts'

/** Flags that say where things land. */
export const layoutArgs = {
  registry: {
    type: 'string',
    required: true,
    hint: 'host[/path]',
    description: 'Where to: an ECR registry (<account>.dkr.ecr.<region>.amazonaws.com) or any OCI registry',
  },
  prefix: { type: 'string', hint: 'path', default: 'mirrored', description: 'Images land below this path' },
  chartPrefix: {
    type: 'string',
    hint: 'path',
    default: 'charts',
    description: 'Charts land below this path',
  },
} as const satisfies ArgsDef

/** Flags for ECR that is not where its name says. */
export const ecrArgs = {
  region: {
    type: 'string',
    hint: 'region',
    description: 'AWS region, when the registry’s name does not tell it',
  },
  endpointUrl: {
    type: 'string',
    hint: 'url',
    description: 'Address of the ECR API; treats --registry as ECR',
  },
} as const satisfies ArgsDef

export type LayoutArgs = Args<typeof layoutArgs>
export type EcrArgs = Args<typeof ecrArgs>

/**
 * Where things land, from the flags.
 * @throws a usage error for what cannot be a registry or a prefix, and for names that only look like ECR
 */
export function layoutOf(args: LayoutArgs & Partial<EcrArgs>): Layout {
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
  return { registry, path, prefix: args.prefix, chartPrefix: args.chartPrefix }
}

export interface OpenedTarget {
  readonly target: ImportTarget
  readonly network: Journey
  readonly isEcr: boolean
  /** The registry's own API, for what the registry protocol has no call. */
  readonly ecr?: Ecr
  close(): void
}

/** Layers from 1 GiB on are worth an upload that can continue; below 5 MiB, ECR’s least part, there is nothing to continue. */
const RESUMABLE_FROM = 1024 ** 3
const LEAST_PART = 5 * 1024 ** 2

/** Connects to the destination: ECR with its login and its API, anything else as a plain registry. */
export async function openTarget(
  args: LayoutArgs & EcrArgs & NetworkArgs & RepositoryArgs,
  session: Session,
): Promise<OpenedTarget> {
  const layout = layoutOf(args)
  const { registry } = layout
  const host = parseEcrHost(registry)
  const endpointUrl = args.endpointUrl
  if (host === undefined && endpointUrl === undefined) {
    const network = await openNetwork(args, session, { home: registry })
    return { target: registryTarget(network.client, registry), network, isEcr: false, close: () => undefined }
  }
  const ecr = createEcr({
    ...ecrPlace(host, args),
    aws: await session.aws('registry'),
    caFiles: args.caFile,
    signal: session.signal,
    emit: session.emit,
  })
  const login = ecrLogin(ecr)
  const network = await openNetwork(args, session, {
    home: registry,
    own: (asked, options) => (asked === registry ? login(options) : Promise.resolve(undefined)),
  })
  const target = ecrTarget({
    client: network.client,
    registry,
    ecr,
    settings: await readSettings(args),
    applySettings: args.applySettings,
    mounting: async () => (await blobMounting(ecr)) === 'on',
    resumableFrom: args.resumableUploads ? LEAST_PART : RESUMABLE_FROM,
    records: createUploadRecords(stateFolder(session), registry),
    emit: session.emit,
  })
  return { target, network, isEcr: true, ecr, close: () => ecr.close() }
}

// --- internal ---

/** https://specifications.freedesktop.org/basedir-spec/latest/ */
const stateFolder = ({ env }: Session): string =>
  join(env['XDG_STATE_HOME'] || join(env['HOME'] || tmpdir(), '.local', 'state'), 'ma-bundle', 'uploads')

const ecrPlace = (host: EcrHost | undefined, { region, endpointUrl }: EcrArgs) => ({
  ...(host === undefined ? {} : { host }),
  ...(region === undefined ? {} : { region }),
  ...(endpointUrl === undefined ? {} : { endpointUrl }),
})
