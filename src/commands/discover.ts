import { relative, resolve } from 'node:path'
import { loadSpec } from '../bundle/spec/bundled.ts'
import { discoveredSpec, driftOf, type DiscoveredChart } from '../bundle/charts/discover.ts'
import { closeAll, renderCharts, type ChartPackage } from '../bundle/charts/render-all.ts'
import { resolveChart } from '../bundle/resolve/chart.ts'
import { createMirrorLog } from '../bundle/resolve/mirrored.ts'
import { imagesOf, parseSpec, selectGroups, type BundleSpec, type SpecChart } from '../bundle/spec/spec.ts'
import { describeLocalChart } from '../bundle/spec/local/chart.ts'
import { usageError } from '../lib/errors.ts'
import { createOnce } from '../lib/once.ts'
import { mergeMirrors, parseMirrors } from '../registry/mirror.ts'
import { defineBundleCommand } from '../cli/command.ts'
import { exitCodes } from '../bundle/run/exit.ts'
import { chartTable, effortText, tallyOfBound } from '../cli/output/chart-table.ts'
import { helmArgs, openHelm } from '../cli/flags/helm.ts'
import { networkArgs, openNetwork } from '../cli/flags/network.ts'
import { sourceArgs } from '../cli/flags/source.ts'

const { prove: _prove, addMissing: _addMissing, requireProof: _requireProof, ...renderArgs } = helmArgs
const { mirror } = sourceArgs

export default defineBundleCommand({
  name: 'discover',
  description:
    'Renders charts with a real helm and prints a spec of them with every image they pull. With --check it compares ' +
    'a spec with what its charts pull, and says what is missing, gone or changed: bumping a chart is one command.',
  examples: [
    {
      command: "ma-bundle discover 'shop|1.0.0|https://charts.example' > spec.yaml",
      description: 'a first spec',
    },
    { command: 'ma-bundle discover ./chart.tgz', description: 'of a packaged chart, or of its folder' },
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
      description: 'Charts as name|version|repository, or on this machine: packaged (.tgz) or a folder',
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
    const given = args.charts
    const listed = [
      ...chartsFrom(given.filter((text) => text.includes('|'))),
      ...(await Promise.all(given.filter((text) => !text.includes('|')).map(localChart))),
    ]
    const wanted = merged(checked, listed)
    if (wanted.length === 0) {
      throw usageError('no chart was named', {
        next: 'give name|version|repository, a packaged chart or its folder, or --check <spec>',
      })
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
      const text = discoveredSpec('discovered', '1', charts)
      session.result({ spec: text }, text)
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

/** A package or a folder, as a spec in this folder would name it. */
function localChart(path: string): Promise<SpecChart> {
  const near = relative(process.cwd(), resolve(path))
  return describeLocalChart(resolve(path), near.startsWith('.') ? near : `./${near}`)
}
