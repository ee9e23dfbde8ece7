import { readAwsConfig, type AwsConfig, type AwsFlags, type AssumedRole } from '../../aws/config/config.ts'
import { AWS_SIDES, type AwsConfigs, type AwsSide } from '../../aws/config/sides.ts'
import { usageError } from '../../lib/errors.ts'
import type { Env } from '../../lib/http/proxy.ts'
import { createOnce } from '../../lib/once.ts'
import type { Args, ArgsDef } from '../args/flags.ts'

/** Flags of every command that may talk to AWS. Each stands for all sides, or for the one before its `=`. */
export const awsArgs = {
  profile: {
    type: 'string',
    multiple: true,
    hint: '[side=]name',
    description: 'AWS profile, for all sides or one: source=, registry=, bundle= (a bucket, a KMS key)',
  },
  roleArn: {
    type: 'string',
    multiple: true,
    hint: '[side=]arn',
    description: 'Assume this role with the AWS credentials that are found',
  },
  externalId: {
    type: 'string',
    multiple: true,
    hint: '[side=]id',
    description: 'What the trust policy of --role-arn asks for',
  },
  roleSessionName: {
    type: 'string',
    multiple: true,
    hint: '[side=]name',
    description: 'How CloudTrail names the session of --role-arn; ma-bundle unless given',
  },
} as const satisfies ArgsDef

type AwsArgs = Partial<Args<typeof awsArgs>>

/** The configuration of each side, from its flags, the environment and the profile. */
export function awsConfigs(env: Env, args: Readonly<Record<string, unknown>> = {}): AwsConfigs {
  const read = createOnce<AwsConfig>()
  const given: AwsArgs = Object.fromEntries(
    Object.keys(awsArgs).flatMap((name) => {
      const value = args[name]
      return Array.isArray(value) ? [[name, value.map(String)]] : []
    }),
  )
  return (side) => read(side, async () => readAwsConfig(env, flagsFor(side, given)))
}

// --- internal ---

const SIDE = new RegExp(`^(${AWS_SIDES.join('|')})=(.*)$`)
/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns */
const ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/
/** https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html */
const SESSION = /^[\w+=,.@-]{2,64}$/
const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/

function flagsFor(side: AwsSide, args: AwsArgs): AwsFlags {
  const profile = valueFor(side, 'profile', args.profile)
  const role = roleFor(side, args)
  return { ...(profile === undefined ? {} : { profile }), ...(role === undefined ? {} : { role }) }
}

function roleFor(side: AwsSide, args: AwsArgs): AssumedRole | undefined {
  const arn = valueFor(side, 'role-arn', args.roleArn)
  const externalId = valueFor(side, 'external-id', args.externalId)
  const sessionName = valueFor(side, 'role-session-name', args.roleSessionName)
  if (arn === undefined) {
    if ((args.roleArn ?? []).length === 0 && (externalId !== undefined || sessionName !== undefined))
      throw usageError('--external-id and --role-session-name go with --role-arn')
    return undefined
  }
  const wrong = (flag: string, value: string, what: string): Error =>
    usageError(`--${flag} "${value}" is not ${what}`)
  if (!ROLE.test(arn)) throw wrong('role-arn', arn, 'a role; write arn:aws:iam::<account>:role/<name>')
  if (externalId !== undefined && !EXTERNAL_ID.test(externalId))
    throw wrong('external-id', externalId, 'an external id')
  if (sessionName !== undefined && !SESSION.test(sessionName))
    throw wrong(
      'role-session-name',
      sessionName,
      'the name of a session: 2 to 64 letters, digits and + = , . @ -',
    )
  return {
    arn,
    ...(externalId === undefined ? {} : { externalId }),
    ...(sessionName === undefined ? {} : { sessionName }),
  }
}

/** What a flag says for this side counts before what it says for all. */
function valueFor(side: AwsSide, flag: string, texts: readonly string[] = []): string | undefined {
  const given = texts.map((text) => {
    const [, one, value] = SIDE.exec(text) ?? []
    return { side: one, value: value ?? text }
  })
  for (const wanted of [side, undefined]) {
    const [first, ...more] = given.filter((each) => each.side === wanted)
    if (more.length > 0)
      throw usageError(`--${flag} is given twice for ${wanted ?? 'all sides'}`, {
        next: `say which is for which: ${AWS_SIDES.map((each) => `${each}=`).join(', ')}`,
      })
    if (first !== undefined) return first.value
  }
  return undefined
}
