import type { CommandTable } from '../cli/table.ts'

/** Every command, in the order of the help. A new one is a file and a row; nothing is loaded before it is called. */
export const commands: CommandTable = {
  plan: {
    group: 'make',
    description: 'Preview an export, and what the registry has already',
    load: async () => (await import('./plan.ts')).default,
  },
  export: {
    group: 'make',
    description: 'Pull images and charts into one tar',
    load: async () => (await import('./export.ts')).default,
  },
  import: {
    group: 'carry',
    description: 'Push a bundle into a registry and write the Helm values',
    load: async () => (await import('./import.ts')).default,
  },
  mirror: {
    group: 'carry',
    description: 'Copy straight into a registry, without a file between',
    load: async () => (await import('./mirror.ts')).default,
  },
  inspect: {
    group: 'look',
    description: 'List what is in a bundle',
    load: async () => (await import('./inspect.ts')).default,
  },
  verify: {
    group: 'prove',
    description: 'Check every byte of a bundle',
    load: async () => (await import('./verify.ts')).default,
  },
  extract: {
    group: 'carry',
    description: 'Take images, charts and files out of a bundle',
    load: async () => (await import('./extract.ts')).default,
  },
  merge: {
    group: 'make',
    description: 'Make one bundle of several, or a full one of a bundle made --since another',
    load: async () => (await import('./merge.ts')).default,
  },
  serve: {
    group: 'carry',
    description: 'Serve a bundle as a read-only registry',
    load: async () => (await import('./serve.ts')).default,
  },
  sign: {
    group: 'make',
    description: 'Sign a bundle with your key',
    load: async () => (await import('./sign.ts')).default,
  },
  report: {
    group: 'look',
    description: 'Write what is in a bundle, for approvers',
    load: async () => (await import('./report.ts')).default,
  },
  diff: {
    group: 'look',
    description: 'Say what changed from one bundle to the next',
    load: async () => (await import('./diff.ts')).default,
  },
  inventory: {
    group: 'look',
    description: 'Write down which blobs a registry has, for export --since',
    load: async () => (await import('./inventory.ts')).default,
  },
  rehearse: {
    group: 'prove',
    description: 'Pull every image as the nodes will, and store nothing',
    load: async () => (await import('./rehearse.ts')).default,
  },
  check: {
    group: 'prove',
    description: 'Say of every image in a cluster whether it will start, and why not',
    load: async () => (await import('./check.ts')).default,
  },
  prune: {
    group: 'operate',
    description: 'List, or delete, what no kept bundle needs in a registry',
    load: async () => (await import('./prune.ts')).default,
  },
  lock: {
    group: 'make',
    description: 'Pin every reference of a spec, and show what has moved',
    load: async () => (await import('./lock.ts')).default,
  },
  prove: {
    group: 'prove',
    description: 'Render the charts and judge every image reference',
    load: async () => (await import('./prove.ts')).default,
  },
  discover: {
    group: 'make',
    description: 'Find every image that charts pull, as a spec, or check a spec',
    load: async () => (await import('./discover.ts')).default,
  },
  values: {
    group: 'operate',
    description: 'Print the Helm values, or mirror configuration for nodes',
    load: async () => (await import('./values.ts')).default,
  },
  'post-render': {
    group: 'operate',
    description: 'Rewrite what helm renders, as a Helm post-renderer',
    load: async () => (await import('./post-render.ts')).default,
  },
  doctor: {
    group: 'prove',
    description: 'Check all that an import needs, and change nothing',
    load: async () => (await import('./doctor.ts')).default,
  },
  'iam-policy': {
    group: 'operate',
    description: 'Print the IAM policy or the VPC endpoints that ECR needs',
    load: async () => (await import('./iam-policy.ts')).default,
  },
  schema: {
    group: 'operate',
    description: 'Print the JSON Schema of what --json writes',
    load: async () => (await import('./schema.ts')).default,
  },
  completion: {
    group: 'operate',
    description: 'Print a completion script for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).default,
  },
}
