import { partitionOf, PARTITIONS, type Partition } from './partition.ts'

/** What the name of a private ECR registry says. */
export interface EcrHost {
  readonly host: string
  /** Twelve digits. */
  readonly account: string
  readonly region: string
  readonly partition: Partition
  readonly fips: boolean
  readonly dualStack: boolean
}

const LABELS = /^(\d{12})\.dkr(\.|-)ecr(-fips)?\.([a-z0-9-]+)\.([a-z0-9.-]+)$/

/**
 * Reads `<account>.dkr.ecr[-fips].<region>.<suffix>` and its dual-stack form `<account>.dkr-ecr[-fips].…`.
 * The suffix has to be the one of the region's partition, to the last letter: credentials are sent to this name.
 */
export function parseEcrHost(host: string): EcrHost | undefined {
  const lower = host.toLowerCase()
  const [, account, joint, fips, region, suffix] = LABELS.exec(lower) ?? []
  if (account === undefined || region === undefined) return undefined
  const partition = partitionOf(region)
  if (partition === undefined) return undefined
  const dualStack = joint === '-'
  if (suffix !== (dualStack ? partition.registryDualStackSuffix : partition.dnsSuffix)) return undefined
  return { host: lower, account, region, partition, fips: fips !== undefined, dualStack }
}

/** ECR Public, by both of its names. It speaks Bearer, has no repositories of ours, and is only pulled from. */
export const isPublicEcr = (host: string): boolean =>
  host.toLowerCase() === 'public.ecr.aws' || host.toLowerCase() === 'ecr-public.aws.com'

/**
 * Says why a host that looks like ECR is not one; nothing for hosts that do not look like it.
 * A typing mistake is found here, before anything is sent to the name.
 */
export function whyNotEcr(written: string): string | undefined {
  const host = written.toLowerCase()
  if (!LOOKS.test(host) || parseEcrHost(host) !== undefined || isPublicEcr(host)) return undefined
  if (/[/:]/.test(host)) return 'an ECR registry is a bare host name, without scheme, port or path'
  if (VPCE.test(host)) {
    return "this is a VPC endpoint's own name; use the registry's name (its private DNS leads to the endpoint)"
  }
  if (/^(api\.ecr|ecr)(-fips)?\./.test(host)) {
    return 'this is the API of ECR; the registry is <account>.dkr.ecr.<region>.<suffix>'
  }
  const [, account, , , region, suffix] = LOOSE.exec(host) ?? []
  if (account === undefined || region === undefined || suffix === undefined) {
    return 'an ECR registry is named <account>.dkr.ecr.<region>.<suffix>'
  }
  if (!/^\d{12}$/.test(account)) {
    return /^\d+$/.test(account)
      ? `an AWS account has 12 digits, "${account}" has ${account.length}`
      : `"${account}" is not an AWS account of 12 digits`
  }
  const partition = partitionOf(region)
  if (partition === undefined) return `"${region}" is not an AWS region`
  return suffixProblem(host, region, suffix, partition)
}

// --- internal ---

const LOOKS = /(^|[./-])dkr[.-]?ecr([.-]|$)|(^|[./])ecr(-fips)?\.[a-z0-9-]+\.(amazonaws|on\.aws|api\.aws)/
const VPCE = /(^|\.)vpce[-.]/
const LOOSE = /^(?:([^.]+)\.)?dkr(\.|-)ecr(-fips)?\.([a-z0-9-]+)\.(.+)$/

function suffixProblem(host: string, region: string, suffix: string, partition: Partition): string {
  const dualStack = host.includes('.dkr-ecr')
  const wanted = dualStack ? partition.registryDualStackSuffix : partition.dnsSuffix
  if (wanted === undefined) return `ECR has no dual-stack registry names in ${partition.id}; write .dkr.ecr.`
  const known = PARTITIONS.flatMap((each) => [each.dnsSuffix, each.registryDualStackSuffix ?? each.dnsSuffix])
  const real = known.find((each) => suffix.startsWith(`${each}.`) && !known.includes(suffix))
  return real === undefined
    ? `registries in ${region} end in .${region}.${wanted}, not .${suffix}`
    : `it continues after .${real}, so it belongs to another owner; registries in ${region} end in .${wanted}`
}
