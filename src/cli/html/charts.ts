import type { RootContents } from '../../bundle/format/contents.ts'
import type { ChartProof } from '../../bundle/format/chart-proof.ts'
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
  if (proof.failures.length > 0) return verdict('bad', 'did not render')
  if (proof.open.length > 0) return verdict('bad', `${plural(proof.open.length, 'reference')} open`)
  return verdict('ok', 'all bound')
}

function details({ chart, open, accepted, failures }: ChartProof): Markup | undefined {
  if (open.length + accepted.length + failures.length === 0) return undefined
  return html`<h3>${lineOf(chart)}</h3>
    <ul class="plain open">
      ${failures.map((words) => html`<li>helm says: ${nameOf(words)}</li>`)}
      ${open.map(({ reference, at, verdict: why, remedy }) => html`<li><code>${nameOf(reference)}</code> is ${WHY[why]}<br /><span class="muted">at ${nameOf(at)}</span><br />What to do: ${nameOf(remedy)}</li>`)}
      ${accepted.map(({ reference, reason }) => html`<li class="accepted"><code>${nameOf(reference)}</code> stays public: ${nameOf(reason)}</li>`)}
    </ul>`
}

const WHY = { 'not-bundled': 'not in the bundle', unreachable: 'out of reach of values' } as const
