import { didYouMean } from '../../lib/text/suggest.ts'
import { parseReference } from '../../oci/reference.ts'
import {
  HINT_ACTIONS,
  type Consumer,
  type ConsumerInstall,
  type ConsumerSet,
  type SpecBinding,
  type SpecChart,
  type SpecHint,
} from './model.ts'
import { entries, fields, items, problem, type YamlNode } from './yaml-reader.ts'
import { flag, matching, oneOf, parsed, text } from './yaml-values.ts'

/** `bindings:` by chart name. */
export const readBindings = (
  place: YamlNode | undefined,
  charts: readonly SpecChart[],
): ReadonlyMap<string, readonly SpecBinding[]> =>
  byChart(
    place,
    'bindings',
    charts.map(({ name }) => name),
    readBinding,
  )

/** `hints:` by chart name; the consumer chart may have some too. */
export const readHints = (
  place: YamlNode | undefined,
  charts: readonly SpecChart[],
  consumer: Consumer | undefined,
): ReadonlyMap<string, readonly SpecHint[]> =>
  byChart(
    place,
    'hints',
    [...charts.map(({ name }) => name), ...(consumer === undefined ? [] : [consumer.chart])],
    readHint,
  )

export function readConsumer(
  place: YamlNode | undefined,
  charts: readonly SpecChart[],
): Consumer | undefined {
  if (place === undefined) return undefined
  const found = fields(place, [
    'chart',
    'registryAt',
    'chartsAt',
    'values',
    'installsWhen',
    'install',
    'bindings',
    'sets',
  ])
  const installsWhen = matching(found?.get('installsWhen'), SWITCH, SWITCH_RULE)
  const install = readInstall(found?.get('install'))
  const keys = charts.map(({ key }) => key)
  return {
    chart: text(found?.need('chart'), 'the name of the consumer chart') ?? '',
    registryAt: matching(found?.need('registryAt'), PATH, PATH_RULE) ?? '',
    chartsAt: matching(found?.need('chartsAt'), PATH, PATH_RULE) ?? '',
    values: items(found?.get('values'), 'files').flatMap(
      (item) => matching(item, FILE, 'a file inside the chart, as in valuesEks.yaml') ?? [],
    ),
    ...(installsWhen === undefined ? {} : { installsWhen }),
    ...(install === undefined ? {} : { install }),
    bindings: items(found?.get('bindings'), 'bindings').flatMap((item) => readBinding(item) ?? []),
    sets: byChart(found?.get('sets'), 'references', keys, readSet),
  }
}

// --- internal ---

const PATH = /^[^\s.]+(?:\.[^\s.]+)*$/
const PATH_RULE = 'a dotted path of values keys, as in controller.image'
const SWITCH = /^(?!.*\{key\}.*\{key\})(?:[^\s.]+\.)*\{key\}(?:\.[^\s.]+)*$/
const SWITCH_RULE = 'a dotted path with {key} for the child chart, as in install.{key}.enabled'
const FILE = /^(?!.*(?:^|\/)\.\.(?:\/|$))[^/\s][^\s]*\.ya?ml$/
const LEAF = /^[^\s.]+$/
const WHERE =
  /^(?:image|arg|env|cr|configmap|script|code|values)(?:\+(?:image|arg|env|cr|configmap|script))*$/
const WHERE_RULE = 'image, arg, env, cr, configmap, script, code or values, joined by +'

function readInstall(place: YamlNode | undefined): ConsumerInstall | undefined {
  if (place === undefined) return undefined
  const found = fields(place, ['release', 'namespace', 'set', 'script', 'files', 'scriptSetsImages'])
  const script = text(found?.get('script'), 'a command')
  return {
    release: text(found?.need('release'), 'the name of a release') ?? '',
    namespace: text(found?.need('namespace'), 'a namespace') ?? '',
    set: new Map(
      entries(found?.get('set'), 'values by dotted path').map(([path, value]) => [
        path,
        text(value, 'a text') ?? '',
      ]),
    ),
    ...(script === undefined ? {} : { script }),
    files: items(found?.get('files'), 'files').flatMap((item) => text(item, 'the name of a file') ?? []),
    scriptSetsImages: flag(found?.get('scriptSetsImages')) ?? false,
  }
}

function byChart<Item>(
  place: YamlNode | undefined,
  what: string,
  charts: readonly string[],
  read: (place: YamlNode) => Item | undefined,
): ReadonlyMap<string, readonly Item[]> {
  const found = entries(place, `lists of ${what} by chart`).map(([chart, list]) => {
    if (!charts.includes(chart)) {
      const hint = didYouMean(chart, charts)
      problem(list, `no chart of this spec is called "${chart}"${hint === undefined ? '' : `; ${hint}`}`)
    }
    return [chart, items(list, what).flatMap((item) => read(item) ?? [])] as const
  })
  return new Map(found)
}

function readBinding(place: YamlNode): SpecBinding | undefined {
  const found = fields(place, [
    'path',
    'leaves',
    'reference',
    'also',
    'image',
    'where',
    'hook',
    'off',
    'note',
  ])
  const path = matching(found?.need('path'), PATH, PATH_RULE)
  const leaves = items(found?.get('leaves'), 'keys').flatMap(
    (item) => matching(item, LEAF, 'a values key') ?? [],
  )
  const reference = readReference(found?.need('reference'))
  const also = items(found?.get('also'), 'references').flatMap((item) => readReference(item) ?? [])
  const image = parsed(found?.get('image'), 'an image reference', parseReference)
  const where = matching(found?.get('where'), WHERE, WHERE_RULE) ?? 'image'
  const hook = text(found?.get('hook'), 'the value of helm.sh/hook')
  const off = flag(found?.get('off')) ?? false
  const note = text(found?.get('note'), 'a note')
  if (path === undefined || reference === undefined) return undefined
  return {
    path,
    leaves,
    reference,
    also,
    ...(image === undefined ? {} : { image }),
    where,
    ...(hook === undefined ? {} : { hook }),
    off,
    ...(note === undefined ? {} : { note }),
  }
}

function readHint(place: YamlNode): SpecHint | undefined {
  const found = fields(place, ['path', 'reference', 'where', 'reason', 'when', 'take', 'action'])
  const path = matching(found?.get('path'), PATH, PATH_RULE)
  const reference = text(found?.need('reference'), 'an image reference')
  const where = matching(found?.need('where'), WHERE, WHERE_RULE)
  const reason = text(found?.need('reason'), 'why no value reaches it')
  const when = text(found?.get('when'), 'when it is pulled')
  const take = parsed(found?.get('take'), 'an image reference', parseReference)
  const action = oneOf(found?.need('action'), HINT_ACTIONS)
  if (reference === undefined || where === undefined || reason === undefined || action === undefined) {
    return undefined
  }
  return {
    ...(path === undefined ? {} : { path }),
    reference,
    where,
    reason,
    ...(when === undefined ? {} : { when }),
    ...(take === undefined ? {} : { take }),
    action,
  }
}

function readSet(place: YamlNode): ConsumerSet | undefined {
  const found = fields(place, ['path', 'reference', 'off'])
  const off = flag(found?.get('off'))
  const path = matching(found?.need('path'), PATH, PATH_RULE)
  const reference = readReference(found?.need('reference'))
  return path === undefined || reference === undefined
    ? undefined
    : { path, reference, ...(off === undefined ? {} : { off }) }
}

/** Kept as written, because the chart's own spelling decides what has to be overridden; but it has to parse. */
const readReference = (place: YamlNode | undefined): string | undefined =>
  parsed(place, 'an image reference', (written) => {
    parseReference(written)
    return written
  })
