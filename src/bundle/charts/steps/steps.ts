import { dirname } from 'node:path'
import { parseEcrHost } from '../../../aws/host.ts'
import type { OpenReference } from '../../format/charts/chart-proof.ts'
import type { ChartContents } from '../../format/contents.ts'
import type { Layout } from '../../format/destination.ts'
import { consumerOf } from '../override-charts.ts'
import { valuesFiles } from '../judge/install.ts'
import { neededOpen } from '../proof.ts'
import { nodeConfig } from '../nodes/nodes.ts'
import { PLUGIN_NAME } from './post-render-plugin.ts'
import type { ChartProof } from '../../format/charts/chart-proof.ts'
import type { OverrideFacts } from '../values.ts'
import { imagesOf, kyvernoSteps, POLICY, policyText } from './admission.ts'
import { scriptLines } from './script.ts'
import { chartWords, filled, line, loginLine, quoted } from './words.ts'

/** What a person does after an import, and the files it takes beside the overrides. */
export interface InstallSteps {
  /** In order, for a shell in the folder of the override. */
  readonly commands: readonly string[]
  /** The product's own way, where there is one. */
  readonly script: readonly string[]
  /** By name, in the folder of the override's files. */
  readonly files: ReadonlyMap<string, string>
  /** A post-renderer has to be written, too. */
  readonly postRender: boolean
  /** Needed references that stay public whatever is done of it. */
  readonly uncovered: readonly (OpenReference & { readonly chart: string })[]
}

export interface InstallSituation {
  readonly layout: Layout
  /** The override, and the folder of its files, as they are to be called in commands. */
  readonly values: string
  readonly folder: string
  /** Charts that have a file of their own there. */
  readonly chartFiles: readonly string[]
  /** The helm of this machine, `v3.17.3`; absent: any. */
  readonly helm?: string
  /** The bundle, for commands that read it; absent when it came through a pipe. */
  readonly bundle?: string
}

/**
 * How the charts of a bundle are installed from the private registry, so that no pod pulls from outside: images that
 * no value reaches are rewritten by a post-renderer where a person's helm renders them, and at admission elsewhere.
 */
export function installSteps(
  facts: OverrideFacts,
  proofs: readonly ChartProof[],
  situation: InstallSituation,
): InstallSteps {
  const { layout, values, folder, chartFiles } = situation
  const charts = facts.roots.filter((root): root is ChartContents => root.kind === 'chart')
  const { consumer } = facts.install
  const open = proofs.flatMap((proof) => neededOpen(proof).map((one) => ({ ...one, chart: proof.chart })))
  const public_ = open.filter(({ verdict }) => verdict === 'unreachable')
  const isDirect = (chart: string): boolean => consumer === undefined || chart === consumer.chart
  const rendered = public_.filter(
    (one) => situation.bundle !== undefined && isDirect(one.chart) && isPostRendered(one, situation.helm),
  )
  const policy = kyvernoSteps(facts, charts, situation)
  // A policy reaches all pods: where it has to be, a post-renderer would only be one thing more to go wrong.
  const byPolicy = policy !== undefined && rendered.length < public_.length ? public_ : []
  const byHelm = byPolicy.length > 0 ? [] : rendered
  const others = public_.filter((one) => !byHelm.includes(one))
  const nodes = parseEcrHost(layout.registry) === undefined && policy === undefined ? others : []
  const postRender = byHelm.length > 0
  const own = charts.find(({ chart }) => chart === consumer?.chart)
  const files = new Map<string, string>()
  const script = scriptLines(
    facts,
    own,
    { policy, isNeeded: public_.length > 0 || setsImages(facts) },
    situation,
  )
  if (policy !== undefined && [...policy].some((one) => byPolicy.length > 0 || script.includes(one)))
    files.set(POLICY, policyText(facts, layout))
  for (const { path, text } of nodes.length === 0 ? [] : nodeConfig('containerd', imagesOf(facts), layout))
    files.set(`certs.d/${path}`, text)
  const flags = postRender ? postRenderFlags(folder, situation.helm) : []
  const install = (chart: ChartContents, given: readonly string[], more: readonly string[] = []): string =>
    (postRender ? pluginPath(folder, situation.helm) : '') +
    line('helm', 'upgrade', '--install', ...more, ...chartWords(layout, chart), ...given, ...flags)
  const main: string[] = []
  if (consumer !== undefined && own !== undefined) {
    const { release = consumer.chart, namespace = 'default', set = new Map() } = consumer.install ?? {}
    const layers = consumerLayers(facts, proofs, own)
    for (const { name, text } of layers) if (text !== undefined) files.set(plain(name), text)
    main.push(
      install(
        own,
        [
          '--namespace',
          namespace,
          '--create-namespace',
          ...layers.flatMap(({ name, text }) => [
            '-f',
            text === undefined ? name : `${folder}/${plain(name)}`,
          ]),
          '-f',
          values,
          ...[...set].flatMap(([path, value]) => ['--set', `${path}=${filled(value, layout)}`]),
        ],
        [release],
      ),
    )
  } else if (consumerOf(facts.spec) !== undefined || charts.length === 0) {
    const { release = '<release>' } = consumerOf(facts.spec)?.install ?? {}
    main.push(
      `helm upgrade --install ${release} <chart> -f ${quoted(values)}${flags.map((one) => ` ${one}`).join('')}`,
    )
  } else {
    for (const chart of charts) {
      const given = chartFiles.includes(chart.chart) ? ['-f', `${folder}/${chart.chart}.yaml`] : []
      main.push(install(chart, given, [chart.chart]))
    }
  }
  const before = byPolicy.length === 0 ? [] : (policy ?? [])
  return {
    commands: [
      ...loginLine(layout),
      ...before,
      ...(nodes.length === 0
        ? []
        : [
            `sudo mkdir -p ${CERTS} && sudo cp -r ${quoted(`${folder}/certs.d`)}/. ${CERTS}/   # on every node`,
          ]),
      ...main,
    ],
    script,
    files,
    postRender,
    uncovered: open.filter((one) => !byHelm.includes(one) && !byPolicy.includes(one) && !nodes.includes(one)),
  }
}

/** Where a post-renderer is written in the folder: a plugin in a folder of plugins. */
export const POST_RENDERER = `plugins/${PLUGIN_NAME}`

// --- internal ---

/** Where containerd looks for mirrors. */
const CERTS = '/etc/containerd/certs.d'

/** A file inside a chart, as a file of the folder. */
const plain = (name: string): string => name.replaceAll('/', '-')
const setsImages = ({ install: { consumer } }: OverrideFacts): boolean =>
  consumer?.install?.scriptSetsImages === true

/** Helm renders objects, not programs; before 3.21 it keeps hooks from post-renderers. */
function isPostRendered({ hook, at: place }: OpenReference, helm: string | undefined): boolean {
  if (!/^[A-Z]\w*\//.test(place)) return false
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(helm ?? '') ?? []
  return hook === undefined || Number(major) > 3 || (Number(major) === 3 && Number(minor) >= 21)
}

const isHelm4 = (helm: string | undefined): boolean => helm !== undefined && !helm.startsWith('v3.')

/** Helm 3 takes a program, helm 4 the name of a plugin, which it finds without an installation. */
const postRenderFlags = (folder: string, helm: string | undefined): readonly string[] =>
  isHelm4(helm)
    ? ['--post-renderer', PLUGIN_NAME]
    : ['--post-renderer', `${folder.startsWith('/') ? '' : './'}${folder}/${POST_RENDERER}/post-render.sh`]

const pluginPath = (folder: string, helm: string | undefined): string =>
  isHelm4(helm)
    ? `HELM_PLUGINS=${folder.startsWith('/') ? '' : '"$PWD"/'}${quoted(dirname(`${folder}/${POST_RENDERER}`))} `
    : ''

/** Files of values that the consumer chart was judged with, those inside it with their text. */
function consumerLayers(
  { packages, install: { consumer } }: OverrideFacts,
  proofs: readonly ChartProof[],
  own: ChartContents,
): readonly { readonly name: string; readonly text?: string }[] {
  const tgz = packages.get(own.chart)
  const used = proofs.find(({ chart }) => chart === own.chart)?.values ?? consumer?.values ?? []
  const inside = tgz === undefined ? [] : valuesFiles({ chart: own.chart, tgz })
  return used.map((name) => inside.find((file) => file.name === name) ?? { name })
}
