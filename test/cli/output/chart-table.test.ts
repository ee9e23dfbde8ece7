import { describe, expect, it } from 'vitest'
import { verdictLines } from '../../../src/bundle/charts/judge/verdict.ts'
import type { ChartProof, OpenReference } from '../../../src/bundle/format/charts/chart-proof.ts'
import { chartTable, effortText, tallyOfBound, tallyOfProof } from '../../../src/cli/output/chart-table.ts'
import { createStyle } from '../../../src/cli/ui/style.ts'

const SCREEN = { columns: 80, style: createStyle(false) }

const open = (at: number, need: OpenReference['need'], verdict: OpenReference['verdict']): OpenReference => ({
  reference: `quay.io/some-team/some-component-${at}:v1.${at}.0`,
  at: `Deployment/component-${at} spec.template.spec.containers[main].image`,
  verdict,
  remedy: 'take it along',
  need,
  ...(need === 'needed'
    ? {}
    : {
        when: 'a Cluster, Backup, Restore, Database, Listener, Mirror, Schedule or another of its kinds asks for it',
      }),
})

const proof = (chart: string, more: Partial<ChartProof> = {}): ChartProof => ({
  chart,
  version: '1.0.0',
  boundCount: 4,
  open: [],
  accepted: [],
  failures: [],
  ...more,
})

describe('the table of charts', () => {
  it('counts each reference once, and fits a screen with long names', () => {
    const proofs = [
      proof('kube-prometheus-stack', {
        open: [
          open(1, 'needed', 'not-bundled'),
          open(2, 'needed', 'unreachable'),
          open(3, 'on-demand', 'not-bundled'),
          open(4, 'unknown', 'unreachable'),
        ],
        values: ['charts.kube-prometheus-stack.values of shop', 'mine.yaml'],
      }),
      proof('small', { off: 'conditionalPackageInstalls.small is off' }),
    ]
    const text = chartTable(proofs.map(tallyOfProof), SCREEN)
    expect(text.split('\n')).toEqual([
      'chart                  found  bound  missing  unreachable  on demand  unknown',
      'kube-prometheus-stack      8      4        1            1          1        1',
      'small                      4      4        0            0          0        0',
      '',
      'Rendered with:',
      '  kube-prometheus-stack 1.0.0: charts.kube-prometheus-stack.values of shop, mine.yaml',
      '  small 1.0.0: its own values; not installed',
      '',
    ])
  })

  it('is followed by all open items by name, sixty of them within 80 columns', () => {
    const many = Array.from({ length: 60 }, (_, at) =>
      open(at, at < 4 ? 'needed' : 'on-demand', 'not-bundled'),
    )
    const fields = [
      '.spec.workflowSpec.templateDefaults.container.image',
      '.spec.workflowSpec.sidecars[].image',
    ]
    const operands = [
      { kind: 'Cluster', fields },
      { kind: 'Backup', fields: [] },
    ]
    const lines = verdictLines([proof('operator', { open: many, operands })])
    expect(lines).toContain('    Backup')
    expect(lines.filter((line) => fields.some((field) => line.includes(field)))).toHaveLength(2)
    for (const { reference, at } of many) {
      expect(lines.filter((line) => line.includes(`${reference} `))).toHaveLength(1)
      expect(lines.filter((line) => line.trim() === `at:   ${at}`)).toHaveLength(1)
    }
    const tooLong = lines.filter((line) => line.length > 80)
    expect(tooLong).toEqual([])
    // What they all wait for is said once.
    expect(lines.join('\n').match(/another of its kinds/g)).toHaveLength(1)
  })

  it('counts what values reach as bound while there is no bundle', () => {
    const use = { at: 'Deployment/a', need: 'needed' } as const
    const tally = tallyOfBound(
      {
        chart: 'shop',
        version: '1.0.0',
        rendered: true,
        bindings: [
          {
            path: ['image'],
            leaves: [],
            reference: 'quay.io/a/b:1',
            references: ['quay.io/a/b:1'],
            where: 'image',
            at: [],
            proven: true,
            recipes: [],
          },
        ],
        notLanded: [],
        unreachable: [],
        uses: [
          { ...use, reference: 'quay.io/a/b:1' },
          { ...use, reference: 'quay.io/a/literal:1' },
          { ...use, reference: 'quay.io/mine/own:1', applied: true },
          { ...use, reference: 'quay.io/a/off:1', need: 'on-demand', when: 'x is true' },
          { ...use, reference: 'quay.io/a/odd', need: 'unknown', when: 'no render shows it' },
        ],
      },
      [],
    )
    expect(tally).toMatchObject({ bound: 2, missing: 0, unreachable: 1, onDemand: 1, unknown: 1 })
  })

  it('says apart from it what that took, the longest first', () => {
    const known = { chart: 'known', effort: { renders: 0, seconds: 0.01 } }
    expect(
      effortText([
        { chart: 'short', effort: { renders: 7, seconds: 1 } },
        known,
        { chart: 'long', effort: { renders: 38, seconds: 4.26 } },
      ]).split('\n'),
    ).toEqual([
      '45 renders, charts side by side:',
      '  long: 38 renders, 4.3 s',
      '  short: 7 renders, 1.0 s',
      '  known: known from an earlier run',
    ])
    expect(effortText([known])).toBe('1 chart known from an earlier run: nothing was rendered.')
  })
})
