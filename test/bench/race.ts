import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fixture } from './fixture.ts'
import { openLine, type Line } from './line.ts'
import { measure, median, type Cost } from './measure.ts'
import type { Contender } from './peers.ts'

/** Out of a registry, into an empty one, and into the same once more. */
export type Way = 'export' | 'import' | 'again'
export type Run = Cost & { readonly requests: number }

export interface Race {
  readonly fixture: Fixture
  readonly contenders: readonly Contender[]
  readonly line?: Line
  readonly rounds: number
  readonly concurrency: number
  /** Whether each imports a second time. */
  readonly again?: boolean
  readonly folder: string
}

export interface Result {
  /** The medians of a contender; undefined when it failed, or does not go that way. */
  readonly of: (name: string, way: Way) => Run | undefined
  /** What the contenders that failed said. */
  readonly failures: ReadonlyMap<string, string>
}

/** Runs all contenders on the same work, one after the other, as many rounds as asked. */
export async function race(options: Race): Promise<Result> {
  const { fixture, contenders, rounds } = options
  const runs = new Map<string, Run[]>()
  const failures = new Map<string, string>()
  // Every contender finds the source in the page cache.
  for (const { file } of fixture.blobs) await Bun.file(file).bytes()
  for (let round = 1; round <= rounds; round += 1) {
    // Another order each round, so that nobody always follows the same neighbour.
    for (const contender of round % 2 === 1 ? contenders : contenders.toReversed()) {
      const { name } = contender
      if (failures.has(name)) continue
      for await (const [way, run] of compete(contender, options)) {
        process.stderr.write(
          `round ${round} ${name} ${way}: ${run.seconds.toFixed(2)} s${run.ok ? '' : ' FAILED'}\n`,
        )
        if (!run.ok) failures.set(name, `${way}: ${run.output || 'no output'}`)
        else runs.set(`${name} ${way}`, [...(runs.get(`${name} ${way}`) ?? []), run])
      }
    }
  }
  return {
    failures,
    of(name, way) {
      const all = runs.get(`${name} ${way}`)
      return all === undefined ? undefined : medians(all)
    },
  }
}

// --- internal ---

async function* compete(
  contender: Contender,
  { fixture, line = {}, concurrency, again, folder: base }: Race,
): AsyncGenerator<readonly [Way, Run]> {
  const folders = ['exported', 'target', 'import'].map((name) => join(base, name))
  const [exported = '', target = '', home = ''] = folders
  for (const folder of folders) await emptied(folder)
  const ends = await openLine(line, { source: fixture.storage, target })
  const { env } = ends
  const task = { ...ends, fixture, concurrency, exported }
  try {
    const out = await measure({ script: contender.export(task), folder: exported, env })
    yield ['export', { ...out, requests: (await ends.asked()).source }]
    if (!out.ok) return
    const into = await measure({ script: contender.import(task), folder: home, env })
    const first = (await ends.asked()).target
    yield ['import', { ...into, requests: first }]
    if (!into.ok || again !== true || contender.name === 'floor') return
    await emptied(home)
    const twice = await measure({ script: contender.import(task), folder: home, env })
    yield ['again', { ...twice, requests: (await ends.asked()).target - first }]
  } finally {
    await ends.stop()
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
  }
}

async function emptied(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
}

function medians(runs: readonly Run[]): Run {
  const of = (pick: (run: Run) => number): number => median(runs.map(pick))
  return {
    seconds: of((run) => run.seconds),
    cpu: of((run) => run.cpu),
    memory: of((run) => run.memory),
    wchar: of((run) => run.wchar),
    written: of((run) => run.written),
    disk: of((run) => run.disk),
    requests: of((run) => run.requests),
    ok: true,
    output: '',
  }
}
