import { DEFAULT_CHART_PREFIX, DEFAULT_PREFIX } from '../../bundle/format/destination.ts'
import {
  connectTarget,
  layoutOf,
  namesOf,
  type OpenedTarget,
  type TargetSettings,
} from '../../setup/target.ts'
import type { Args, ArgsDef } from '../args/flags.ts'
import { networkSettings, type NetworkArgs } from './network.ts'
import { readSettings, type RepositoryArgs } from './repository.ts'
import type { CommandSession } from '../session.ts'

/** Flags that say where things land. */
export const layoutArgs = {
  registry: {
    type: 'string',
    required: true,
    hint: 'host[/path]',
    description: 'Where to: an ECR registry (<account>.dkr.ecr.<region>.amazonaws.com) or any OCI registry',
  },
  prefix: {
    type: 'string',
    hint: 'path',
    default: DEFAULT_PREFIX,
    allowEmpty: true,
    description: "Images land below this path; '' for none",
  },
  map: {
    type: 'string',
    multiple: true,
    hint: 'from=to',
    description:
      'Images of this host or path land below another path, as in quay.io/=team/quay/; the longest that fits counts',
  },
  repository: {
    type: 'string',
    hint: 'template',
    description: 'How names are made of {host}, {path} and {name}, in place of --prefix',
  },
  chartPrefix: {
    type: 'string',
    hint: 'path',
    default: DEFAULT_CHART_PREFIX,
    allowEmpty: true,
    description: 'Charts land below this path',
  },
} as const satisfies ArgsDef

/** Flags for ECR that is not where its name says. */
export const ecrArgs = {
  region: {
    type: 'string',
    hint: 'region',
    description: 'AWS region, when the registry’s name does not contain it',
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
  session: CommandSession,
): Promise<OpenedTarget> => connectTarget(await targetSettings(args, session), session)

/** What the flags say of the registry that is written to; passwords are read from standard input. */
export async function targetSettings(
  args: LayoutArgs & EcrArgs & NetworkArgs & RepositoryArgs,
  session: CommandSession,
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

export { layoutOf, namesOf }
