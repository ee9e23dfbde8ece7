import { basename } from 'node:path'
import {
  checkSettings,
  TAG_MUTABILITY,
  type RepositorySettings,
} from '../../aws/ecr/settings/repository-settings.ts'
import { usageError } from '../../lib/errors.ts'
import { readSmall, whyUnreadable } from '../../lib/bytes/small-file.ts'
import type { Args, ArgsDef } from '../args/flags.ts'

/** Flags for the repositories that an import makes in ECR. */
export const repositoryArgs = {
  tagMutability: { type: 'enum', options: TAG_MUTABILITY, description: 'Of new ECR repositories' },
  mutabilityExclusion: {
    type: 'string',
    multiple: true,
    hint: 'wildcard',
    description: 'Tags that --tag-mutability …_WITH_EXCLUSION leaves out, as in dev-*',
  },
  scanOnPush: { type: 'boolean', description: 'New ECR repositories scan images when they are pushed' },
  kmsKey: {
    type: 'string',
    hint: 'key',
    description: 'New ECR repositories are encrypted with this KMS key',
  },
  tags: {
    type: 'string',
    multiple: true,
    hint: 'key=value',
    description: 'AWS tags of new ECR repositories',
  },
  lifecyclePolicy: {
    type: 'string',
    hint: 'file',
    description: 'Lifecycle policy (JSON) of new ECR repositories',
  },
  repositoryPolicy: {
    type: 'string',
    hint: 'file',
    description: 'Permissions policy (JSON) of new ECR repositories',
  },
  applySettings: {
    type: 'boolean',
    description: 'Change repositories that exist to these settings, too, after listing what differs',
  },
  resumableUploads: {
    type: 'boolean',
    description: 'Upload all layers to ECR in parts that continue after a cut, not only those over 1 GiB',
  },
} as const satisfies ArgsDef

export type RepositoryArgs = Args<typeof repositoryArgs>

/** For commands that make no repository. */
export const noSettings: RepositoryArgs = {
  tagMutability: undefined,
  mutabilityExclusion: [],
  scanOnPush: false,
  kmsKey: undefined,
  tags: [],
  lifecyclePolicy: undefined,
  repositoryPolicy: undefined,
  applySettings: false,
  resumableUploads: false,
}

/** @throws a usage error for what ECR would refuse, before anything is sent */
export async function readSettings(args: RepositoryArgs): Promise<RepositorySettings> {
  const settings: RepositorySettings = {
    ...(args.tagMutability === undefined ? {} : { tagMutability: args.tagMutability }),
    ...(args.mutabilityExclusion.length === 0 ? {} : { mutabilityExclusions: args.mutabilityExclusion }),
    ...(args.scanOnPush ? { scanOnPush: true } : {}),
    ...(args.kmsKey === undefined ? {} : { kmsKey: args.kmsKey }),
    ...(args.tags.length === 0 ? {} : { tags: tagsOf(args.tags) }),
    ...(args.lifecyclePolicy === undefined ? {} : { lifecyclePolicy: await readText(args.lifecyclePolicy) }),
    ...(args.repositoryPolicy === undefined
      ? {}
      : { repositoryPolicy: await readText(args.repositoryPolicy) }),
  }
  checkSettings(settings)
  if (args.applySettings && Object.keys(settings).length === 0) {
    throw usageError('--apply-settings has no settings to apply', {
      next: 'give them along, as in --tag-mutability IMMUTABLE',
    })
  }
  return settings
}

// --- internal ---

function tagsOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at < 1) throw usageError(`--tags "${text}" is not key=value`)
      return [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}

async function readText(file: string): Promise<string> {
  try {
    return (await readSmall(file)).toString('utf8')
  } catch (error) {
    throw usageError(`cannot read ${basename(file)}: ${whyUnreadable(error)}`, { cause: error })
  }
}
