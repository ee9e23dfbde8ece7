import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { helmBinary } from '../../support/helm.ts'
import { measureChart, type ChartResult } from './chart.ts'

/**
 * `npm run charts:lab -- <folder of .tgz> [words in names…] [--json <file>]`: searches, writes and proves every packaged chart of a
 * folder, each in a process of its own, and judges the result by other means than the search's. Charts are not part
 * of this repository: pack those you have with `helm package`.
 */
async function main(args: readonly string[]): Promise<void> {
  const [folder, ...words] = args
  if (folder === undefined) throw new Error('which folder? npm run charts:lab -- <folder of .tgz>')
  const binary = await helmBinary(3)
  if (folder.endsWith('.tgz')) {
    process.stdout.write(`${JSON.stringify(await measureChart(folder, binary))}\n`)
    return
  }
  const at = words.indexOf('--json')
  const into = at < 0 ? undefined : words[at + 1]
  const filter = words.filter((_, index) => at < 0 || (index !== at && index !== at + 1))
  const files = (await readdir(folder)).filter(
    (name) => name.endsWith('.tgz') && (filter.length === 0 || filter.some((word) => name === `${word}.tgz`)),
  )
  const results: ChartResult[] = []
  for (const file of files.toSorted()) {
    const result = await inProcess(join(folder, file))
    if (typeof result === 'string') process.stdout.write(`${file}: ${result}\n`)
    else {
      results.push(result)
      process.stdout.write(lineOf(result))
      if (into !== undefined) await Bun.write(into, JSON.stringify(results, null, 1))
    }
  }
  const sum = (of: (result: ChartResult) => number): number => results.reduce((all, one) => all + of(one), 0)
  process.stdout.write(
    `\n${results.length} charts: ${sum((one) => one.bindings)} bindings, ${sum((one) => one.seen)} seen, ${sum((one) => one.bound)} bound, ${sum((one) => one.missed.length)} missed, ${sum((one) => one.silent.length)} silent, ${sum((one) => one.wrong.length)} wrong, ${sum((one) => one.dead.length)} dead, ${sum((one) => one.phantoms.length)} phantoms, ${sum((one) => one.refused.length)} refused, ${sum((one) => one.seconds).toFixed(0)} s\n`,
  )
}

// --- internal ---

function lineOf(one: ChartResult): string {
  const list = (label: string, texts: readonly string[]): string =>
    texts.map((text) => `    ${label}: ${text}\n`).join('')
  return (
    `${one.chart}: ${one.bindings} bindings, ${one.bound} of ${one.seen} seen are bound, ${one.renders} renders, ${one.seconds.toFixed(1)} s, ${one.mebibytes.toFixed(0)} MiB\n` +
    (one.failure === undefined ? '' : `    refuses: ${one.failure.replaceAll('\n', ' ')}\n`) +
    list('left', one.named) +
    list('MISSED', one.missed) +
    list('SILENT', one.silent) +
    list('WRONG', one.wrong) +
    list('DEAD', one.dead) +
    list('not landed', one.notLanded) +
    list('refused', one.refused) +
    list('phantom?', one.phantoms) +
    list('unknown', one.unknown)
  )
}

function inProcess(file: string): Promise<ChartResult | string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [import.meta.filename, file], { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let said = ''
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    child.stderr.on('data', (data: Buffer) => (said += data.toString()))
    child.on('close', () => {
      try {
        resolve(JSON.parse(out) as ChartResult)
      } catch {
        resolve(said.slice(0, 400))
      }
    })
  })
}

await main(process.argv.slice(2))
