import type { RootContents } from '../../bundle/format/contents.ts'
import type { ChartProof } from '../../bundle/format/charts/chart-proof.ts'
import { neededOpen } from '../../bundle/charts/proof.ts'
import { plural } from '../../lib/format.ts'
import { html, lineOf, nameOf, type Markup } from './markup.ts'
import { verdict } from './verdict.ts'

type Chart = Extract<RootContents, { kind: 'chart' }>

/** Each chart with what a real helm proved of it, then whatever is open, with what to do. */
export function charts(list: readonly Chart[], proofs: readonly ChartProof[]): Markup {
  if (list.length === 0) return html`<p>The bundle has no charts.</p>`
  const rows = list.map((chart) => row(chart, proofOf(chart, proofs)))
  return html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col" class="name" data-sort="text">Chart</th>
            <th scope="col" data-sort="text">Version</th>
            <th scope="col">Proof</th>
            <th scope="col" data-sort="number" class="number">References bound</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    ${proofs.map(details)}`
}

// --- internal ---

const proofOf = ({ chart, version }: Chart, proofs: readonly ChartProof[]): ChartProof | undefined =>
  proofs.find((proof) => proof.chart === chart && proof.version === version)

function row({ chart, version, repository }: Chart, proof: ChartProof | undefined): Markup {
  const from = repository === '' ? undefined : html`<span class="about">from ${nameOf(repository)}</span>`
  return html`<tr>
    <th scope="row" class="name" data-value="${chart}">${nameOf(chart)}${from}</th>
    <td class="wrap" data-label="version" data-value="${version}">${nameOf(version)}</td>
    <td data-label="proof">${judgement(proof)}</td>
    <td class="number" data-label="references bound" data-value="${proof?.boundCount ?? -1}">
      ${proof?.boundCount ?? '–'}
    </td>
  </tr> `
}

function judgement(proof: ChartProof | undefined): Markup {
  if (proof === undefined) return verdict('warn', 'not rendered')
  if (proof.off !== undefined) return verdict('none', 'not installed')
  if (proof.failures.length > 0) return verdict('bad', 'did not render')
  const needed = neededOpen(proof).length
  if (needed > 0) return verdict('bad', `${plural(needed, 'reference')} open`)
  return verdict('ok', proof.measured === true ? 'all bound, as measured' : 'all bound')
}

function details({ chart, open, values = [], off, accepted, failures }: ChartProof): Markup | undefined {
  if (open.length + accepted.length + failures.length === 0 && off === undefined) return undefined
  return html`<h3>${lineOf(chart)}</h3>
    <ul class="plain open">
      ${values.length === 0 ? undefined : html`<li class="muted">installed with ${nameOf(values.join(', '))}</li>`}
      ${off === undefined ? undefined : html`<li>carried, and not installed: ${nameOf(off)}</li>`}
      ${failures.map((words) => html`<li>helm says: ${nameOf(words)}</li>`)}
      ${open.map(({ reference, at, path, need, when, verdict: why, remedy }) => html`<li><code>${nameOf(reference)}</code> is ${NEED[need]} and ${WHY[why]}${when === undefined ? undefined : html`<br /><span class="muted">when ${nameOf(when)}</span>`}${path === undefined ? undefined : html`<br /><span class="muted">values ${nameOf(path)}</span>`}<br /><span class="muted">at ${nameOf(at)}</span><br />What to do: ${nameOf(remedy)}</li>`)}
      ${accepted.map(({ reference, reason }) => html`<li class="accepted"><code>${nameOf(reference)}</code> stays public: ${nameOf(reason)}</li>`)}
    </ul>`
}

const NEED = { needed: 'needed', 'on-demand': 'pulled on demand', unknown: 'of unknown need' } as const
const WHY = { 'not-bundled': 'not in the bundle', unreachable: 'out of reach of values' } as const
