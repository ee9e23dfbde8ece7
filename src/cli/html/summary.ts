import { holds, neededOpen } from '../../bundle/charts/proof.ts'
import { formatBytes, plural } from '../../lib/format.ts'
import { html, lineOf, type Markup } from './markup.ts'
import type { PageData } from './page-data.ts'
import { verdict, type Tone } from './verdict.ts'

/** What to know first: title, totals, and the verdicts an approval depends on. */
export function summary(data: PageData): Markup {
  const { report, items, blobs } = data.anatomy
  const title = [report.name, report.version].filter((part) => part !== undefined && part !== '').join(' ')
  const single = items.reduce((sum, { size }) => sum + size, 0)
  const once = blobs.reduce((sum, { size }) => sum + size, 0)
  const absent = blobs.filter(({ isAbsent }) => isAbsent)
  const attached = new Set(report.attached.map(({ digest }) => digest))
  const count = (kind: string): number =>
    items.filter((item) => item.kind === kind && !attached.has(item.digest)).length
  return html`<div class="top">
      <h1>${lineOf(title)}</h1>
      <button type="button" id="theme" aria-pressed="false" data-script hidden>Dark theme</button>
    </div>
    <p class="muted">What is in the bundle <code>${lineOf(data.file)}</code></p>
    <dl class="cards">
      ${card('Size of the bundle', formatBytes(report.size), `${report.size.toLocaleString('en-GB')} bytes, ${plural(report.entries, 'file')}`)}
      ${card('Images', String(count('image')), report.attached.length === 0 ? '' : `and ${plural(report.attached.length, 'signature or SBOM', 'signatures and SBOMs')}`)}
      ${card('Charts', String(count('chart')), count('file') === 0 ? '' : `and ${plural(count('file'), 'other file')}`)}
      ${card('Saved by sharing', formatBytes(single - once), `one by one they have ${formatBytes(single)}`)}
      ${proofCard(data)} ${signatureCard(data)}
      ${absent.length === 0 ? undefined : card('Left out', formatBytes(absent.reduce((sum, { size }) => sum + size, 0)), `${plural(absent.length, 'blob')}: only a registry that has them takes the bundle`, 'warn')}
      ${changeCard(data)}
    </dl>`
}

// --- internal ---

function card(title: string, value: string | Markup, about: string | Markup, tone: Tone = 'none'): Markup {
  const more = about === '' ? undefined : html`<dd>${about}</dd>`
  return html`<div class="${tone}">
    <dt>${title}</dt>
    <dd>${value}</dd>
    ${more}
  </div>`
}

function proofCard({ anatomy: { report, items } }: PageData): Markup {
  const { proof } = report
  const charts = items.filter(({ kind }) => kind === 'chart').length
  if (charts === 0 && proof.length === 0) return card('Proof', verdict('none', 'no charts'), '')
  if (proof.length === 0)
    return card('Proof', verdict('warn', 'none'), 'no helm rendered the charts at the export', 'warn')
  const bound = proof.reduce((sum, { boundCount }) => sum + boundCount, 0)
  const open = proof.reduce((sum, one) => sum + neededOpen(one).length, 0)
  const failed = proof.filter(({ failures }) => failures.length > 0).length
  if (!holds(proof)) {
    const words = [
      ...(open === 0 ? [] : [`${open} NOT bound`]),
      ...(failed === 0 ? [] : [`${plural(failed, 'chart')} did not render`]),
    ]
    return card('Proof', verdict('bad', words.join(', ')), `${bound} references are bound`, 'bad')
  }
  const missing = charts - proof.length
  if (missing > 0)
    return card(
      'Proof',
      verdict('warn', 'in part'),
      `${plural(missing, 'chart')} ${missing === 1 ? 'was' : 'were'} neither rendered nor measured`,
      'warn',
    )
  const about = `${plural(bound, 'image reference')} of ${plural(proof.length, 'chart')} bound, none still public`
  return card('Proof', verdict('ok', 'holds'), about, 'ok')
}

function signatureCard({ signature }: PageData): Markup {
  if (signature.state === 'checked') {
    const about = html`${signature.algorithm} key
      <code>${signature.fingerprint}</code> (${lineOf(signature.key)}), checked when this page was made;
      covers all ${String(signature.covers)} entries`
    return card('Signature', verdict('ok', 'valid'), about, 'ok')
  }
  if (signature.state === 'unchecked') {
    const about = html`${lineOf(signature.file)} is next to the bundle`
    return card('Signature', verdict('warn', 'not checked'), about, 'warn')
  }
  return card('Signature', verdict('none', 'none'), 'no signature is next to the bundle')
}

function changeCard({ since }: PageData): Markup | undefined {
  if (since === undefined) return undefined
  const { changes, bytes } = since
  const fresh =
    bytes === undefined ? '' : html`${formatBytes(bytes.fresh.bytes)} are new since ${lineOf(since.file)}`
  return card('Changes', changes.length === 0 ? 'none' : String(changes.length), fresh)
}
