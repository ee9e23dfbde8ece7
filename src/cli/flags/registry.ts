import { connectTarget, layoutOf, type OpenedTarget, type TargetSettings } from '../../setup/target.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import { networkSettings, type NetworkArgs } from './network.ts'
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

/** Connects to the destination that the flags name. */
export const openTarget = async (
  args: LayoutArgs & EcrArgs & NetworkArgs & RepositoryArgs,
  session: Session,
): Promise<OpenedTarget> => connectTarget(await targetSettings(args, session), session)

/** What the flags say of the registry that is written to; passwords are read from standard input. */
export async function targetSettings(
  args: LayoutArgs & EcrArgs & NetworkArgs & RepositoryArgs,
  session: Session,
): Promise<TargetSettings> {
  const { registry } = layoutOf(args)
  return {
    registry,
    network: await networkSettings(args, session, registry),
    region: args.region,
    endpointUrl: args.endpointUrl,
    repositories: () => readSettings(args),
    applySettings: args.applySettings,
    resumableUploads: args.resumableUploads,
  }
}

export { layoutOf }
