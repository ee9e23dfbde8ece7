import { plural } from '../../../lib/format.ts'
import { visible } from '../../../lib/text/visible.ts'
import type { ChartProof, OpenReference } from '../../format/charts/chart-proof.ts'
import { neededOpen } from '../proof.ts'

/** `Proof: 61 references of 14 charts bound, none still public.` */
export function verdictLine(proofs: readonly ChartProof[]): string {
  if (proofs.length === 0) return 'Proof: none; no helm rendered the charts. Run: ma-bundle prove <bundle>'
  const bound = proofs.reduce((sum, { boundCount }) => sum + boundCount, 0)
  const open = proofs.flatMap(neededOpen)
  const failed = proofs.filter(({ failures, off }) => failures.length > 0 && off === undefined)
  const left =
    open.length === 0
      ? 'none still public'
      : `${open.length} NOT bound: ${[...new Set(open.map(({ reference }) => reference))].join(', ')}`
  const unrendered =
    failed.length === 0 ? '' : `; ${failed.map(({ chart }) => chart).join(', ')} did not render`
  return visible(
    `${judgedBy(proofs)}: ${plural(bound, 'reference')} of ${plural(proofs.length, 'chart')} bound, ${left}${unrendered}.`,
  )
}

/**
 * What stands behind the verdict, for people: how the charts are installed, then by the three words every reference
 * that is not pulled from the private registry, with chart, place and what to do.
 * @param charts names of all charts; those without a proof are named as not judged
 */
export function verdictLines(
  proofs: readonly ChartProof[],
  charts: readonly string[] = [],
): readonly string[] {
  const unjudged = charts.filter((chart) => !proofs.some((proof) => proof.chart === chart))
  return [
    ...installedLines(proofs),
    ...needLines(proofs, 'needed', 'Needed, and public with the override alone:'),
    ...needLines(
      proofs,
      'on-demand',
      'On demand, and not bundled or bound (--add-missing=all takes what there is):',
    ),
    ...needLines(proofs, 'unknown', 'Unknown, because no render decides it:'),
    ...operandLines(proofs),
    ...objectLines(proofs),
    ...(unjudged.length === 0
      ? []
      : [
          `Not judged, because no helm rendered them and nobody has measured them: ${unjudged.join(', ')}.`,
          '  next: export where there is a helm 3 or 4, or with --helm <program>; --require-proof makes this an error',
        ]),
  ].map(visible)
}

// --- internal ---

function judgedBy(proofs: readonly ChartProof[]): string {
  const measured = proofs.filter((proof) => proof.measured === true).length
  if (measured === 0) return 'Proof'
  return measured === proofs.length
    ? 'As measured for these versions, not rendered here'
    : `Proof (${plural(measured, 'chart')} as measured, not rendered here)`
}

/** Which values made the charts what they are, and which charts are not installed. */
function installedLines(proofs: readonly ChartProof[]): readonly string[] {
  const off = proofs.filter((proof) => proof.off !== undefined)
  const files = proofs.flatMap(({ chart, values = [] }) => {
    const names = values.filter((name) => /\.ya?ml$/.test(name))
    return names.length === 0 ? [] : [`${chart} with ${names.join(', ')}`]
  })
  return [
    ...(files.length === 0 ? [] : [`Installed: ${files.join('; ')}.`]),
    ...(off.length === 0
      ? []
      : ['Carried, and not installed:', ...off.map(({ chart, off: why }) => `  ${chart}: ${why ?? ''}`)]),
  ]
}

function needLines(
  proofs: readonly ChartProof[],
  need: OpenReference['need'],
  title: string,
): readonly string[] {
  const lines = proofs.flatMap(({ chart, off, open }) => {
    const some = open.filter((one) => one.need === need)
    const name = `  ${chart}${off === undefined ? '' : ' (not installed)'}`
    // Said once for all that it takes: an operator has a dozen images that wait for the same.
    return [...Map.groupBy(some, ({ when }) => when)].flatMap(([when, same]) => [
      ...(when === undefined ? [name] : wrapped(`${name}, when ${when}:`, '    ')),
      ...same.flatMap(openLines),
    ])
  })
  return lines.length === 0 ? [] : [title, ...lines]
}

/** What no render can show, because a controller decides it when somebody asks. */
function operandLines(proofs: readonly ChartProof[]): readonly string[] {
  const operators = proofs.filter(
    ({ operands, objects, off }) => operands !== undefined && objects === undefined && off === undefined,
  )
  if (operators.length === 0) return []
  return [
    'In no render: what a controller runs for objects of these kinds:',
    ...operators.flatMap(({ chart, operands = [] }) => [
      `  ${chart}`,
      ...operands.slice(0, KINDS).flatMap(({ kind, fields }) => {
        const more = fields.length > FIELDS ? ', …' : ''
        return wrapped(`    ${kind} ${fields.slice(0, FIELDS).join(', ')}${more}`, '      ')
      }),
      ...(operands.length > KINDS ? [`    and ${plural(operands.length - KINDS, 'further kind')}`] : []),
    ]),
    '  next: --objects <file> judges what the objects need that you will apply',
  ]
}

const KINDS = 6
const FIELDS = 3

function objectLines(proofs: readonly ChartProof[]): readonly string[] {
  const files = [...new Set(proofs.flatMap(({ objects = [] }) => objects))]
  if (files.length === 0) return []
  return [
    'Your own objects, which no values reach; before they are applied inside:',
    ...files.map(
      (file) => `  ma-bundle post-render <bundle> --registry <host> < ${file} | kubectl apply -f -`,
    ),
  ]
}

function openLines({ reference, at, path, need, verdict, remedy }: OpenReference): readonly string[] {
  const place = path === undefined || at === `values ${path}` ? at : `${path}, ${at}`
  const what = verdict === 'not-bundled' ? 'not in the bundle' : 'out of reach of values'
  return [
    `    ${reference}  ${what}`,
    `      at:   ${place}`,
    ...(need === 'needed' ? [`      next: ${remedy}`] : []),
  ]
}

const WIDTH = 80

/** In lines of a screen, where its words allow it. */
function wrapped(text: string, indent: string): readonly string[] {
  const lines: string[] = []
  let line = /^ */.exec(text)?.[0] ?? ''
  for (const word of text.trim().split(' ')) {
    const isEmpty = line.trim() === ''
    if (!isEmpty && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = indent + word
    } else line += isEmpty ? word : ` ${word}`
  }
  return [...lines, line]
}
