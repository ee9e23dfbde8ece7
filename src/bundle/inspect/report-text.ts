import { formatBytes, plural } from '../../lib/format.ts'
import { visible } from '../../lib/text/visible.ts'
import { verdictLine } from '../charts/judge/verdict.ts'
import type { Attached } from './attached.ts'
import type { BundleReport, ReportedRoot } from './report.ts'

/** The report for people, as Markdown. */
export function formatReport(report: BundleReport): string {
  const { name, version, size, entries, sums, signedBy, tool, contents, absent } = report
  return [
    `# ${cell([name, version].filter(Boolean).join(' '))}`,
    '',
    `${plural(contents.length, 'item')}, ${formatBytes(size)}, ${plural(entries, 'file')}. Reported by ${tool}.`,
    ...(sums === undefined
      ? []
      : [
          '',
          `SHA256SUMS, which names every file and is what a signature is over, has the digest \`${sums}\`.`,
        ]),
    ...(signedBy === undefined
      ? []
      : [
          '',
          `It is signed with the ${signedBy.algorithm} key \`${signedBy.fingerprint}\`, which was checked; the signature covers all ${signedBy.covers} entries.`,
        ]),
    ...(absent.count === 0
      ? []
      : [
          '',
          `${plural(absent.count, 'blob')} (${formatBytes(absent.bytes)}) are left out, because the target has them.`,
        ]),
    '',
    '## Contents',
    '',
    ...table(
      ['kind', 'name', 'digest', 'size', 'platforms', 'source', 'licences'],
      contents.map((root) => contentRow(root)),
    ),
    '',
    '## Signatures, attestations and SBOMs carried',
    '',
    ...carried(report),
    '',
    '## Proof of the charts’ images',
    '',
    cell(verdictLine(report.proof)),
    ...(report.unjudged.length === 0
      ? []
      : ['', `Not judged, because no helm rendered them: ${report.unjudged.map(cell).join(', ')}.`]),
    ...proofRows(report),
    '',
  ].join('\n')
}

// --- internal ---

/** Strangers wrote what stands in it: no line break, no end of a cell, no markup, and `&#8238;` is no character. */
const cell = (text: string): string =>
  visible(text.replaceAll(/[\t\n\r]+/g, ' ')).replaceAll(
    /[\\|<&[\]*`~]/g,
    (letter) => ENTITIES[letter] ?? `\\${letter}`,
  )

const ENTITIES: Readonly<Record<string, string>> = { '<': '&lt;', '&': '&amp;' }

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const table = (titles: readonly string[], rows: readonly (readonly string[])[]): readonly string[] => [
  line(titles),
  line(titles.map(() => '---')),
  ...rows.map((row) => line(row.map(cell))),
]

const contentRow = ({ kind, name, digest, size, platforms = [], source, licences }: ReportedRoot) => [
  kind,
  name,
  digest,
  formatBytes(size),
  platforms.join(', '),
  source,
  licences.length === 0 ? 'not annotated' : licences.join(', '),
]

function carried({ contents, attached }: BundleReport): readonly string[] {
  const images = contents.filter(({ kind, subject }) => kind === 'image' && subject === undefined)
  const about = new Set(attached.map((one) => one.of))
  const without = images.filter(({ name }) => !about.has(name))
  const count = `${images.length - without.length} of ${plural(images.length, 'image')} come with any.`
  if (attached.length === 0) return [`${count} Export with --referrers to include what there is.`]
  const row = ({ of = 'not in the bundle', about: digest, type, name, digest: own }: Attached) => [
    of,
    digest,
    type,
    name,
    own,
  ]
  return [
    `${count} They are carried byte for byte; whether they hold is for cosign or notation to say.`,
    '',
    ...table(['of', 'about', 'type', 'name', 'digest'], attached.map(row)),
  ]
}

function proofRows({ proof }: BundleReport): readonly string[] {
  const rows = proof.flatMap(({ chart, version, open, off, accepted, failures }) => [
    ...open.map(({ reference, verdict, at, path, need, when, remedy }) => [
      chart,
      version,
      reference,
      when === undefined ? need : `${need}: when ${when}`,
      `${verdict}: ${path === undefined ? '' : `${path}, `}${at}: ${remedy}`,
    ]),
    ...(off === undefined ? [] : [[chart, version, '', 'not installed', off]]),
    ...accepted.map(({ reference, reason }) => [chart, version, reference, 'accepted', reason]),
    ...failures.map((why) => [chart, version, '', 'did not render', why]),
  ])
  return rows.length === 0 ? [] : ['', ...table(['chart', 'version', 'reference', 'need', 'why'], rows)]
}
