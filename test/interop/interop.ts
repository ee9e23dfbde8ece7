import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CHECKS, checkDestination, type Context } from './checks.ts'
import { startJourney, type Journey } from './journey.ts'
import { findPrograms, type Programs, type Running } from './programs.ts'
import { DESTINATIONS, serveBundle } from './registries.ts'

/** `npm run interop [-- --write]`: what programs and servers of others make of a bundle, as a table. */
interface Row {
  readonly name: string
  readonly version: string
  readonly what: string
  /** `works`, `not here`, or what went wrong. */
  readonly result: string
}

const README = join(import.meta.dirname, 'README.md')
const MARK = '<!-- the last table: written by npm run interop -- --write -->'

const programs = findPrograms()
const folder = await mkdtemp(join(tmpdir(), 'interop-'))
const rows: Row[] = []
const journey = await startJourney(folder, programs)
try {
  const registry = await throughRegistries(journey)
  if (registry === undefined) throw new Error('no registry works: there is nothing to try the others with')
  const served = await serveBundle(folder)
  try {
    for (const check of CHECKS) {
      const context: Context = { journey, programs, registry, served }
      rows.push(await tried(check, programs, () => check.run(context)))
    }
  } finally {
    await served.stop()
    await registry.stop()
  }
} finally {
  await journey.source.stop()
  await rm(folder, { recursive: true, force: true })
}

const table = tableOf(rows)
console.log(table)
if (process.argv.includes('--write')) {
  const [head = ''] = (await readFile(README, 'utf8')).split(MARK)
  const date = new Date().toISOString().slice(0, 10)
  await writeFile(README, `${head}${MARK}\n\n${date}, Bun ${Bun.version}:\n\n${table}\n`)
}
process.exitCode = rows.every(({ result }) => ['works', 'not here'].includes(result)) ? 0 : 1

// --- internal ---

/** Imports into each registry there is; the last one that works keeps running for the programs that read. */
async function throughRegistries(carried: Journey): Promise<Running | undefined> {
  let kept: Running | undefined
  for (const destination of DESTINATIONS) {
    const what = 'import, verify --deep, import again, inventory; byte for byte'
    rows.push(
      await tried({ ...destination, what }, programs, async () => {
        const running = await destination.start(programs, folder)
        try {
          await checkDestination(carried, running)
        } catch (error) {
          await running.stop()
          throw error
        }
        await kept?.stop()
        kept = running
      }),
    )
  }
  return kept
}

async function tried(
  one: {
    readonly name: string
    readonly what: string
    readonly needs: readonly string[]
    version(known: Programs): Promise<string>
  },
  known: Programs,
  run: () => Promise<void>,
): Promise<Row> {
  const { name, what, needs } = one
  if (needs.some((need) => known(need) === undefined)) return { name, what, version: '', result: 'not here' }
  try {
    const version = await one.version(known)
    await run()
    return { name, what, version, result: 'works' }
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error)
    return {
      name,
      what,
      version: '',
      result: words.replaceAll(/\s+/g, ' ').replaceAll('|', '/').slice(0, 300),
    }
  }
}

function tableOf(all: readonly Row[]): string {
  const lines = all.map(({ name, version, what, result }) => `| ${name} | ${version} | ${what} | ${result} |`)
  return ['| program | version | what is tried | result |', '|---|---|---|---|', ...lines].join('\n')
}
