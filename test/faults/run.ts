import { startCampaign } from './campaign.ts'

/**
 * The long form: `bun test/faults/run.ts [runs] [seed]`. Prints a line for each run and ends with 1 when any promise was
 * broken. A single run again: `bun test/faults/run.ts 1 <seed of its line>`.
 */
const [runs = '200', start = 'campaign'] = process.argv.slice(2)
const campaign = await startCampaign()
const write = (line: string): void => void process.stdout.write(`${line}\n`)
let broken = 0
const codes = new Map<number, number>()
try {
  write('seed | direction | code | requests | again | interrupted | trouble | faults')
  for (let at = 1; at <= Number(runs); at += 1) {
    const report = await campaign.run(Number(runs) === 1 ? start : `${start}-${at}`)
    const { seed, direction, code, requests, again, interrupted = '', trouble = '', faults } = report
    codes.set(code, (codes.get(code) ?? 0) + 1)
    write([seed, direction, code, requests, again, interrupted, trouble, faults.join('; ')].join(' | '))
    for (const why of report.broken) write(`  BROKEN: ${why}`)
    if (report.broken.length > 0) broken += 1
  }
  const ends = [...codes].toSorted(([a], [b]) => a - b).map(([code, count]) => `${count} with ${code}`)
  write(`${runs} runs ended ${ends.join(', ')}; ${broken} broke a promise`)
} finally {
  await campaign.stop()
}
if (broken > 0) process.exitCode = 1
