import { parseEcrHost, type EcrHost } from '../aws/host.ts'
import { iamPolicy, POLICY_USES, type ImportFeatures } from '../aws/iam-policy.ts'
import { parseS3 } from '../aws/s3/location.ts'
import { vpcEndpoints } from '../aws/vpc-endpoints.ts'
import type { Layout } from '../bundle/format/destination.ts'
import { usageError } from '../lib/errors.ts'
import { defineBundleCommand } from '../cli/command.ts'
import type { Args } from '../cli/args/flags.ts'
import { layoutArgs, layoutOf } from '../cli/flags/registry.ts'

const args = {
  for: {
    type: 'enum',
    options: [...POLICY_USES, 'vpc-endpoints'],
    default: 'import',
    description:
      'What to allow; node is the role of the machines that pull, vpc-endpoints prints CloudFormation for the network',
  },
  ...layoutArgs,
  bundle: {
    type: 'string',
    hint: 's3://…',
    description:
      'The bundle lies there: allow to read it (import), to write it (export), and let it through (vpc-endpoints)',
  },
  create: {
    type: 'boolean',
    default: true,
    description: 'Let the import create the repositories; --no-create where another team does',
  },
  with: {
    type: 'enum',
    options: ['tags', 'lifecycle-policy', 'repository-policy', 'apply-settings'],
    multiple: true,
    description: 'Flags of the import that ask for more permissions',
  },
  bundleKmsKey: {
    type: 'string',
    hint: 'arn',
    description: 'The bundle in S3 is encrypted with this KMS key',
  },
  kmsKey: { type: 'string', hint: 'arn', description: 'The import encrypts with this KMS key' },
} as const

export default defineBundleCommand({
  name: 'iam-policy',
  description:
    'Prints the least IAM policy for an import or export, or the VPC endpoints that an isolated VPC needs.',
  examples: [
    {
      command: 'ma-bundle iam-policy --registry 123456789012.dkr.ecr.eu-west-1.amazonaws.com',
      description: 'for the role that imports',
    },
    {
      command: 'ma-bundle iam-policy --registry $REGISTRY --bundle s3://my-bundles/bundle.tar',
      description: 'and may read the bundle out of S3',
    },
    {
      command: 'ma-bundle iam-policy --for vpc-endpoints --registry $REGISTRY > vpc.yaml',
      description: 'a CloudFormation template',
    },
  ],
  args,
  run(args, session) {
    const layout = layoutOf(args)
    const host = ecrHostOf(layout)
    const bundle = args.bundle === undefined ? undefined : parseS3(args.bundle)
    if (args.for === 'vpc-endpoints') {
      const template = vpcEndpoints(host, bundle)
      session.result({ template }, template)
      return Promise.resolve()
    }
    const policy = iamPolicy({
      for: args.for,
      host,
      prefix: below(layout, layout.template === undefined ? layout.prefix : fixedPart(layout.template)),
      ...(layout.maps === undefined ? {} : { more: layout.maps.map(({ to }) => below(layout, to)) }),
      chartPrefix: below(layout, layout.chartPrefix),
      ...(bundle === undefined ? {} : { bundle }),
      ...(args.bundleKmsKey === undefined
        ? {}
        : { bundleKey: args.bundleKmsKey.startsWith('arn:') ? args.bundleKmsKey : true }),
      features: featuresOf(args),
    })
    session.result({ policy }, `${JSON.stringify(policy, null, 2)}\n`)
    return Promise.resolve()
  },
})

// --- internal ---

/** `all` of `all/{host}/{path}`. */
const fixedPart = (template: string): string => template.replace(/\{[\s\S]*$/, '').replace(/\/?[^/]*$/, '')

const below = ({ path }: Layout, prefix: string): string =>
  [path, prefix].filter((part) => part !== '').join('/')

function ecrHostOf({ registry }: Layout): EcrHost {
  const host = parseEcrHost(registry)
  if (host !== undefined) return host
  throw usageError(`--registry "${registry}" is not ECR, and IAM is for ECR only`, {
    next: 'give its full name: <account>.dkr.ecr.<region>.amazonaws.com',
  })
}

function featuresOf({ create, with: flags, kmsKey }: Args<typeof args>): ImportFeatures {
  return {
    createRepositories: create,
    tags: flags.includes('tags'),
    lifecyclePolicy: flags.includes('lifecycle-policy'),
    repositoryPolicy: flags.includes('repository-policy'),
    applySettings: flags.includes('apply-settings'),
    ...(kmsKey === undefined ? {} : { kmsKey }),
  }
}
