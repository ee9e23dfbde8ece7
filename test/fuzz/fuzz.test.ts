import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BundleError } from '../../src/lib/errors.ts'
import { random } from '../support/random.ts'
import { makeSmallBundle, type SmallBundle } from '../support/small-bundle.ts'
import { mutate } from './mutate.ts'
import { parsers, type Parser } from './parsers.ts'

/** Seconds for each parser; `npm run fuzz` gives more. The seed of a failure, given again, has it again. */
const SECONDS = Number(process.env['MA_BUNDLE_FUZZ_SECONDS'] ?? 0.4)
const SEED = process.env['MA_BUNDLE_FUZZ_SEED'] ?? 'ma-bundle'
/** Longer than any of them needs for some KB, even on a busy machine. */
const HANGS_MS = 5000

let small: SmallBundle
let all: readonly Parser[]
beforeAll(async () => {
  small = await makeSmallBundle()
  all = parsers(small.bytes)
})
afterAll(() => small.remove())

const NAMES = [
  'tar',
  'bundle',
  'verify',
  'bundle.json',
  'volumes.json',
  'lock',
  'spec',
  'manifest',
  'reference',
  'platform',
  'mirrors',
  'challenge',
  'headers',
  'words',
  'redact',
  'chart',
  'index.yaml',
]

it('covers every parser', () => {
  expect(all.map(({ name }) => name)).toEqual(NAMES)
})

describe('only errors for people come out of', () => {
  it.each(NAMES)(
    '%s',
    async (name) => {
      const parser = all.find((one) => one.name === name)
      if (parser === undefined) throw new Error(`no parser ${name}`)
      const pool = all.flatMap(({ seeds }) => seeds)
      const until = performance.now() + SECONDS * 1000
      let refused = 0
      for (const seed of parser.seeds) expect(await outcome(parser, seed)).not.toMatch(/^(?:threw|took)/)
      for (let round = 0; round < 50 || performance.now() < until; round += 1) {
        const next = random(`${SEED} ${name} ${round}`)
        const seed = parser.seeds[Math.floor(next() * parser.seeds.length)] ?? new Uint8Array()
        const changed = mutate(seed, pool, next)
        const inputs = parser.mend === undefined ? [changed] : [changed, parser.mend(changed)]
        for (const input of inputs) {
          const found = await outcome(parser, input)
          expect(found, `MA_BUNDLE_FUZZ_SEED=${SEED}, ${name}, round ${round}: ${shown(input)}`).not.toMatch(
            /^(?:threw|took)/,
          )
          if (found === 'refused') refused += 1
        }
      }
      if (!ANYTHING.has(name)) expect(refused).toBeGreaterThan(0)
    },
    60_000 + SECONDS * 2000,
  )
})

/** Parsers of what others sent in headers and words: nothing of it is refused. */
const ANYTHING = new Set(['challenge', 'headers', 'words', 'redact', 'verify'])

async function outcome({ run }: Parser, input: Uint8Array): Promise<string> {
  const started = performance.now()
  try {
    await run(input)
  } catch (error) {
    if (!(error instanceof BundleError))
      return `threw ${String(error)} ${error instanceof Error ? error.stack : ''}`
    if (performance.now() - started < HANGS_MS) return 'refused'
  }
  const took = performance.now() - started
  return took < HANGS_MS ? 'taken' : `took ${Math.round(took)} ms`
}

const shown = (input: Uint8Array): string =>
  input.length > 3000 ? `${input.length} bytes` : JSON.stringify(Buffer.from(input).toString('latin1'))
