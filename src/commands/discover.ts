import { existsSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { loadSpec } from '../bundle/spec/bundled.ts'
import { discoveredSpec, driftOf, foundGroups, type DiscoveredChart } from '../bundle/charts/discover.ts'
import { closeAll, renderCharts, type ChartPackage } from '../bundle/charts/render-all.ts'
import { resolveChart } from '../bundle/resolve/chart.ts'
import { createMirrorLog } from '../bundle/resolve/mirrored.ts'
import { LIST_FORMATS, writeList, type ListFormatName } from '../bundle/spec/lists/write.ts'
import {
  imagesOf,
  parseSpec,
  selectGroups,
  type BundleSpec,
  type SpecChart,
  type SpecGroup,
} from '../bundle/spec/spec.ts'
import { describeLocalChart } from '../bundle/spec/local/chart.ts'
import { usageError } from '../lib/errors.ts'
import { createOnce } from '../lib/once.ts'
import { mergeMirrors, parseMirrors } from '../registry/mirror.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { exitCodes } from '../bundle/run/exit.ts'
import { chartTable, effortText, tallyOfBound } from '../cli/output/chart-table.ts'
import { helmArgs, openHelm } from '../cli/flags/helm.ts'
import { networkArgs, openNetwork } from '../cli/flags/network.ts'
import { listArgs, listSettings, sourceArgs } from '../cli/flags/source.ts'
import type { CommandSession } from '../cli/session.ts'
import { loadSpecs, saysWhat } from '../setup/lists.ts'
import { listed } from '../lib/format.ts'

const { prove: _prove, addMissing: _addMissing, requireProof: _requireProof, ...renderArgs } = helmArgs
const { mirror } = sourceArgs

export default defineBundleCommand({
  name: 'discover',
  description:
    'Renders charts with a real helm and prints a spec of them with every image they pull; of manifests and lists of ' +
    'other tools as well, or as such a list. With --check it compares a spec with what its charts pull, and says what ' +
    'is missing, gone or changed: bumping a chart is one command.',
  examples: [
    {
      command: "ma-bundle discover 'shop|1.0.0|https://charts.example' > spec.yaml",
      description: 'a first spec',
    },
    { command: 'ma-bundle discover ./chart.tgz', description: 'of a packaged chart, or of its folder' },
    {
      command: 'kubectl get deploy,sts,ds -A -o json | ma-bundle discover -',
      description: 'of manifests: a file, a folder, standard input',
    },
    {
      command: 'ma-bundle discover docker-compose.yml --format hauler',
      description: 'a list of one tool for another',
    },
    { command: 'ma-bundle discover --check spec.yaml', description: 'is the list still right?' },
    {
      command: "ma-bundle discover --check spec.yaml 'shop|1.1.0|https://charts.example'",
      description: 'what a newer chart would change in it',
    },
  ],
  args: {
    charts: {
      type: 'positional',
      required: false,
      multiple: true,
      description:
        'Charts as name|version|repository, packaged (.tgz) or as a folder; lists and manifests, - for standard input',
    },
    ...listArgs,
    format: {
      type: 'enum',
      options: ['spec', ...LIST_FORMATS],
      default: 'spec',
      description: 'What to print: a spec, or a list that other tools read',
    },
    check: {
      type: 'string',
      hint: 'spec',
      description: 'Compare this spec (a file or a bundled name) with its charts',
    },
    mirror,
    ...renderArgs,
    ...networkArgs,
  },
  async run(args, session) {
    const checked = args.check === undefined ? undefined : (await loadSpec(args.check)).spec
    const { charts: named, lists } = await sortedOut(args.charts)
    const settings = listSettings({ ...args, spec: [...lists, ...args.spec] })
    const loaded = saysWhat(settings) ? (await loadSpecs(settings, session)).spec : undefined
    const given = [...named, ...(loaded?.groups.flatMap((group) => group.charts) ?? [])]
    const others = checked === undefined ? withoutCharts(loaded) : []
    const wanted = merged(checked, given)
    if (wanted.length + others.length === 0) {
      throw usageError('no chart was named', {
        next: 'give name|version|repository, a packaged chart or its folder, a list, or --check <spec>',
      })
    }
    if (wanted.length === 0) {
      print([], others, args.format, session)
      return exitCodes.ok
    }
    const spec: BundleSpec = {
      ...(checked ?? parseSpec('images: []\n', 'discovered')),
      groups: [{ name: 'all', optional: false, charts: wanted, images: [], files: [] }],
    }
    const { helm } = await openHelm(
      { ...args, prove: true, addMissing: undefined, requireProof: false },
      spec,
      session,
    )
    if (helm === undefined && checked === undefined && named.length === 0 && loaded !== undefined) {
      session.emit({
        type: 'warning',
        message:
          'there is no helm to render with: the charts are listed as they were, without what they pull',
        next: 'install helm 3 or 4, or give --helm <program>',
      })
      print([], loaded.groups, args.format, session)
      return exitCodes.ok
    }
    if (helm === undefined)
      throw usageError('there is no helm to render with', {
        next: 'install helm 3 or 4, or give --helm <program>',
      })
    const network = await openNetwork(args, session)
    const mirrors = mergeMirrors(parseMirrors(args.mirror), spec.mirrors)
    const indexes = createOnce<string>()
    const log = createMirrorLog(network.emit)
    const packages = await Promise.all(
      wanted.map(async (chart): Promise<Package> => {
        const {
          chart: name,
          tgz,
          version,
        } = await resolveChart(chart, { session: network, mirrors, indexes, log })
        return { chart: name, name: `${name}:${version}`, tgz, listed: chart }
      }),
    )
    log.report()
    const { rendered, install } = await renderCharts(packages, helm, session)
    await closeAll(rendered)
    const tallies = rendered.map(({ bound }) =>
      tallyOfBound(
        bound,
        install.of(bound.chart).layers.map(({ name }) => name),
      ),
    )
    const efforts = rendered.map(({ bound: { chart }, effort }) => ({ chart, effort }))
    session.note(`${chartTable(tallies, session)}\n${effortText(efforts)}\n`)
    const charts = packages.flatMap(({ chart, listed: as }): DiscoveredChart[] => {
      const found = rendered.find(({ bound }) => bound.chart === chart)
      return found === undefined ? [] : [{ chart: as, bound: found.bound }]
    })
    if (checked === undefined) {
      print(charts, others, args.format, session)
      return exitCodes.ok
    }
    const drift = driftOf(
      imagesOf(
        selectGroups(
          checked,
          checked.groups.map(({ name }) => name),
        ),
      ),
      charts,
      checked,
      install,
    )
    const count = drift.missing.length + drift.gone.length + drift.changed.length
    session.result({ check: checked.name, ...drift }, () =>
      [
        ...drift.changed.map(({ from, to }) => `~ ${from} -> ${to}`),
        ...drift.missing.map((one) => `+ ${one}`),
        ...drift.gone.map((one) => `- ${one}  (no chart pulls it)`),
        count === 0 ? `${checked.name} lists exactly what its charts pull.` : `${count} differences.`,
        '',
      ].join('\n'),
    )
    return drift.missing.length + drift.changed.length === 0 ? exitCodes.ok : exitCodes.failed
  },
})

// --- internal ---

type Package = ChartPackage & { readonly listed: SpecChart }

/** The list format's own parser reads them, so that they are checked alike. */
const chartsFrom = (texts: readonly string[]): readonly SpecChart[] =>
  texts.length === 0
    ? []
    : parseSpec(`charts: ${JSON.stringify(texts)}\n`, 'the command line').groups.flatMap(
        (group) => group.charts,
      )

/** Charts of the spec, with those of the command line in place of their older versions. */
function merged(spec: BundleSpec | undefined, listed: readonly SpecChart[]): readonly SpecChart[] {
  const old = spec?.groups.flatMap((group) => group.charts) ?? []
  return [...old.filter(({ name }) => !listed.some((chart) => chart.name === name)), ...listed]
}

/** Charts and lists stand side by side on the command line. */
async function sortedOut(texts: readonly string[]) {
  const isChart = (text: string): boolean =>
    text.includes('|') || /\.tgz$/i.test(text) || existsSync(join(text, 'Chart.yaml'))
  const charts = texts.filter(isChart)
  return {
    charts: [
      ...chartsFrom(charts.filter((text) => text.includes('|'))),
      ...(await Promise.all(charts.filter((text) => !text.includes('|')).map(localChart))),
    ],
    lists: texts.filter((text) => !isChart(text)),
  }
}

/** What needs no rendering. */
const withoutCharts = (spec: BundleSpec | undefined): readonly SpecGroup[] =>
  (spec?.groups ?? [])
    .map((group) => ({ ...group, charts: [] }))
    .filter(({ images, files }) => images.length + files.length > 0)

function print(
  charts: readonly DiscoveredChart[],
  others: readonly SpecGroup[],
  format: 'spec' | ListFormatName,
  session: CommandSession,
): void {
  const taken = new Set(charts.map(({ chart }) => chart.name))
  const apart = others.map((group) =>
    taken.has(group.name) ? { ...group, name: `${group.name}-images` } : group,
  )
  if (format === 'spec') {
    const spec = discoveredSpec('discovered', '1', charts, apart)
    return session.result({ spec }, spec)
  }
  const empty = parseSpec('images: []\n', 'discovered')
  const { text, lost } = writeList(format, { ...empty, groups: [...foundGroups(charts), ...apart] })
  if (lost.length > 0) {
    session.emit({
      type: 'warning',
      message: `this kind of list cannot say that ${listed(lost)}`,
      next: 'use --format spec to keep all of it',
    })
  }
  session.result({ list: text, format }, text)
}

/** A package or a folder, as a spec in this folder would name it. */
function localChart(path: string): Promise<SpecChart> {
  const near = relative(process.cwd(), resolve(path))
  return describeLocalChart(resolve(path), near.startsWith('.') ? near : `./${near}`)
}
