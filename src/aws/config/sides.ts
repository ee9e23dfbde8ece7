import type { AwsConfig } from './config.ts'

/** Where a command may need AWS: registries it reads from, the one it writes to, the bucket (and the key) of a bundle. */
export const AWS_SIDES = ['source', 'registry', 'bundle'] as const

export type AwsSide = (typeof AWS_SIDES)[number]

/** The configuration of one side, read when it is first needed. */
export type AwsConfigs = (side: AwsSide) => Promise<AwsConfig>
