import { setTimeout } from 'node:timers/promises'
import { checkCluster, type ClusterCheck } from '../bundle/site/check/check.ts'
import { knownBundle, type KnownBundle } from '../bundle/site/check/known.ts'
import { parseObjects } from '../bundle/site/check/objects.ts'
import { missingImages, wishList } from '../bundle/site/check/wish-list.ts'
import { takeInventory } from '../bundle/export/inventory.ts'
import { withBundle } from '../bundle/media/with-bundle.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { exitCodes, type ExitCode } from '../bundle/run/exit.ts'
import { readCluster } from '../cli/flags/cluster.ts'
import { networkArgs } from '../cli/flags/network.ts'
import { ecrArgs, layoutArgs, layoutOf, openTarget } from '../cli/flags/registry.ts'
import { noSettings } from '../cli/flags/repository.ts'
import { eachSignatureArgs } from '../cli/flags/signing.ts'
import { volumesArgs } from '../cli/flags/volumes.ts'
import { checkText, verdictOf } from '../cli/output/check-text.ts'
import { readObjects } from '../cli/output/read-objects.ts'
import { usageError } from '../lib/errors.ts'
import { plural } from '../lib/format.ts'
import { writeWhole } from '../lib/bytes/write-whole.ts'
import { parseReference } from '../oci/reference.ts'

export default defineBundleCommand({
  name: 'check',
  description:
    'Reads the objects of a cluster and says of every image whether it is in the private registry or will not start, and ' +
    'why. It uses kubectl where there is one, or reads what kubectl printed; it writes nothing to the cluster.',
  examples: [
    {
      command: 'ma-bundle check --registry <host> --bundle bundle.tar',
      description: 'the cluster that kubectl talks to',
    },
    {
      command:
        'kubectl get pods,deploy,sts,ds,jobs,cronjobs,events,nodes -A -o json | ma-bundle check - --registry <host>',
      description: 'from a machine where kubectl is elsewhere',
    },
    {
      command: 'ma-bundle check --registry <host> --bundle bundle.tar --write-spec missing.yaml',
      description:
        'writes what is missing as a list for the connected side, with an inventory of what is there',
    },
  ],
  args: {
    objects: {
      type: 'positional',
      required: false,
      description:
        'File with Kubernetes objects (JSON or YAML), or - for standard input; without it, kubectl provides them',
    },
    ...layoutArgs,
    bundle: {
      type: 'string',
      multiple: true,
      hint: 'bundle',
      description:
        'A bundle that was imported: lists what was not, and which value turns a public image private',
    },
    allowRegistry: {
      type: 'string',
      multiple: true,
      hint: 'host',
      description: 'Another registry that the nodes reach',
    },
    writeSpec: {
      type: 'string',
      hint: 'file',
      description: 'Write what is missing as a spec, with an inventory of the registry for export --since',
    },
    watch: {
      type: 'boolean',
      description: 'Ask kubectl again until all checks pass, or --watch-minutes are over',
    },
    watchMinutes: {
      type: 'integer',
      min: 1,
      max: 1440,
      default: 30,
      hint: 'minutes',
      description: 'How long to watch',
    },
    ...volumesArgs,
    ...eachSignatureArgs,
    ...ecrArgs,
    ...networkArgs,
  },
  async run(args, session): Promise<ExitCode> {
    const layout = layoutOf(args)
    if (args.watch && args.objects !== undefined)
      throw usageError('--watch asks kubectl again and again; a file or standard input stays the same', {
        next: `leave out ${args.objects}`,
      })
    const trust = { verifyKey: args.verifyKey, requireSignature: args.requireSignature }
    const bundles: KnownBundle[] = []
    for (const name of args.bundle)
      await withBundle(name, { ...session, volumes: args.volumes, ...trust }, async ({ bundle }) => {
        bundles.push(knownBundle(bundle.roots, bundle.contents?.bound ?? [], layout))
      })
    const read = (): Promise<string> =>
      args.objects === undefined ? readCluster(session) : readObjects(args.objects, session)
    const opened = await openTarget({ ...args, ...noSettings }, session)
    try {
      const { client, concurrency, signal } = opened.network
      const look = async (): Promise<ClusterCheck> =>
        checkCluster(parseObjects(await read(), args.objects ?? 'kubectl'), {
          client,
          registry: layout.registry,
          reachable: args.allowRegistry,
          bundles,
          concurrency,
          signal,
        })
      let check = await look()
      const end = Date.now() + args.watchMinutes * 60_000
      for (let shown = ''; args.watch && !isWell(check) && Date.now() < end; check = await look()) {
        const verdict = verdictOf(check)
        if (verdict !== shown) session.note(verdict)
        shown = verdict
        await setTimeout(WATCH_MS, undefined, { signal })
      }
      const missing = missingImages(check, layout)
      if (args.writeSpec !== undefined) {
        const names = check.images.flatMap(({ image, verdict }) => (verdict === 'ok' ? [image] : []))
        const own = names.map(parseReference).filter(({ registry }) => registry === layout.registry)
        const repositories = own.map(({ repository }) => repository)
        const digests = await takeInventory(repositories, opened.target, opened.network)
        await writeWhole(args.writeSpec, wishList(missing, digests), 'list of what is missing')
        session.note(`Wrote ${plural(missing.length, 'missing image')} to the list for the connected side.`)
      }
      session.result({ registry: layout.registry, ...check, missing }, () => checkText(check))
      return isWell(check) ? exitCodes.ok : exitCodes.failed
    } finally {
      opened.close()
    }
  },
})

// --- internal ---

/** Between two looks at a rollout. */
const WATCH_MS = 5_000

const isWell = ({ images, pods }: ClusterCheck): boolean =>
  pods.running === pods.total && images.every(({ verdict }) => verdict === 'ok')
