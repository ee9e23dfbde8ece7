/** A program with the shell of the real one and commands that take their time or misbehave. Run by `test/cli.test.ts`. */
import { setTimeout as sleep } from 'node:timers/promises'

import { defineBundleCommand } from '../../src/cli/command.ts'
import { runOnProcess } from '../../src/cli/process.ts'
import type { CommandTable } from '../../src/cli/table.ts'
import { usageError } from '../../src/lib/errors.ts'

/** Says "ready" and works until it is stopped, then tidies up. */
const patient = defineBundleCommand({
  name: 'patient',
  description: 'Stops when asked.',
  examples: [],
  args: {},
  async run(_, session) {
    session.note('ready\n')
    try {
      await sleep(60_000, undefined, { signal: session.signal })
    } finally {
      session.note('tidied up\n')
    }
  },
})

/** Does not listen to the signal. */
const stubborn = defineBundleCommand({
  name: 'stubborn',
  description: 'Does not stop.',
  examples: [],
  args: {},
  async run(_, session) {
    session.note('ready\n')
    await sleep(60_000)
  },
})

/** Writes a lot to stdout, then tells on stderr that it got to its end. */
const flood = defineBundleCommand({
  name: 'flood',
  description: 'Writes a lot.',
  examples: [],
  args: {},
  async run(_, session) {
    for (let at = 0; at < 2000; at += 1) {
      session.out.write(`${'x'.repeat(1000)}\n`)
      if (at % 100 === 0) await sleep(1)
    }
    session.note('finished\n')
  },
})

/** Throws where no command waits for it. */
const crash = defineBundleCommand({
  name: 'crash',
  description: 'Crashes.',
  examples: [],
  args: { promise: { type: 'boolean', description: 'By a promise' } },
  async run({ promise }, session) {
    if (promise) void Promise.reject(new TypeError('nobody waits'))
    else {
      setTimeout(() => {
        throw new TypeError('nobody catches')
      }, 1)
    }
    await sleep(60_000, undefined, { signal: session.signal })
  },
})

const wrong = defineBundleCommand({
  name: 'wrong',
  description: 'Fails.',
  examples: [],
  args: {},
  run: async () => {
    throw usageError('that is wrong', { next: 'do it right' })
  },
})

const all = { patient, stubborn, flood, crash, wrong }
const commands: CommandTable = Object.fromEntries(
  Object.entries(all).map(([name, command]) => [
    name,
    { group: 'look' as const, description: name, load: async () => command },
  ]),
)

await runOnProcess({ version: '1.2.3', description: 'A program under test', commands })
