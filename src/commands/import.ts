import { basename } from 'node:path'
import { importRoots, type ImportedRoot } from '../bundle/import.ts'
import { openBundle } from '../bundle/open.ts'
import { verdictLine } from '../bundle/proof.ts'
import { openLocal } from './bundle-file.ts'
import { defineBundleCommand } from './command.ts'
import { networkArgs } from './network.ts'
import { ecrArgs, layoutArgs, layoutOf, openTarget } from './registry.ts'
import { repositoryArgs } from './repository-args.ts'
import { nextSteps } from './ui/next.ts'
import { table } from './ui/table.ts'
import { defaultValuesFile, writeValues } from './values-file.ts'

export default defineBundleCommand({
  name: 'import',
  description:
    'Pushes everything in a bundle into a registry, straight out of the tar, and writes the Helm values override. ' +
    'What is there already costs one request each; run the same command again after any failure.',
  examples: [
    {
      command: 'ma-bundle import bundle.tar --registry 123456789012.dkr.ecr.eu-central-1.amazonaws.com',
      description: 'into ECR, with the credentials the AWS tools would use',
    },
    {
      command: 'ma-bundle import bundle.tar --registry registry.example:5000/team',
      description: 'into any registry',
    },
  ],
  args: {
    bundle: { type: 'positional', description: 'Bundle to import' },
    ...layoutArgs,
    values: {
      type: 'string',
      hint: 'file',
      default: defaultValuesFile,
      description: 'Where to write the values override; one file a chart goes into a folder beside it',
    },
    pinDigests: {
      type: 'boolean',
      description:
        'Write digests into the values where a chart has a place for them (needs a bundle proven by helm)',
    },
    ...ecrArgs,
    ...repositoryArgs,
    ...networkArgs,
  },
  async run(args, session) {
    const layout = layoutOf(args)
    const file = await openLocal(args.bundle)
    try {
      const bundle = await openBundle(file)
      const opened = await openTarget(args, session)
      const { target, network } = opened
      const started = performance.now()
      try {
        const imported = await importRoots(bundle, target, { ...network, layout })
        const values = await writeValues(args.values, bundle, layout, { pinDigests: args.pinDigests })
        const seconds = (performance.now() - started) / 1000
        const roots = imported.map(({ root, repository, tags, outcome }) => ({
          kind: root.kind,
          name: root.name,
          digest: root.digest,
          repository,
          tags,
          outcome,
        }))
        session.result(
          { bundle: basename(args.bundle), registry: layout.registry, seconds, roots, ...values.data },
          () =>
            [
              landed(imported, layout.registry, session.columns),
              `${count(imported, 'pushed')} pushed, ${count(imported, 'unchanged')} unchanged, in ${seconds.toFixed(1)} s.`,
              ...values.lines,
              ...(bundle.contents === undefined ? [] : [verdictLine(bundle.contents.proof)]),
              ...(values.file === undefined
                ? []
                : [nextSteps([`helm upgrade --install <release> <chart> -f ${values.file}`], session)]),
              '',
            ].join('\n'),
        )
      } finally {
        opened.close()
      }
    } finally {
      await file.close()
    }
  },
})

// --- internal ---

const count = (imported: readonly ImportedRoot[], outcome: ImportedRoot['outcome']): number =>
  imported.filter((one) => one.outcome === outcome).length

function landed(imported: readonly ImportedRoot[], registry: string, columns: number): string {
  const rows = imported.map(({ root, repository, tags, outcome }) => [
    root.kind,
    `${registry}/${repository}${tags.length === 0 ? `@${root.digest}` : `:${tags.at(-1) ?? ''}`}`,
    outcome,
  ])
  return table(['kind', 'is at', 'outcome'], rows, columns)
}
