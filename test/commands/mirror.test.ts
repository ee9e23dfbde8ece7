import { expect, it } from 'vitest'
import { catalogOf } from '../../src/cli/table.ts'
import { commands } from '../../src/commands/table.ts'

const specs = new Map((await catalogOf(commands).specs()).map(({ name, args }) => [name, args]))
const flagsOf = (command: string): readonly string[] => Object.keys(specs.get(command) ?? {})

/** Those about the file between the two, which mirror does not have; and pulling as nodes do, which is a command too. */
const OF_THE_FILE = [
  'bundle',
  'since',
  'split',
  'onlyVolume',
  'withCli',
  'withImage',
  'imageBase',
  'cliFrom',
  'sign',
  'signature',
  'signatureOut',
  'lockOut',
  'abort',
  'sse',
  'sseKmsKey',
  'storageClass',
  'shard',
  'rehearse',
]

it('mirror has every flag of export and import but those about the file between', () => {
  const both = new Set([...flagsOf('export'), ...flagsOf('import')])
  expect([...both].filter((flag) => !flagsOf('mirror').includes(flag)).toSorted()).toEqual(
    OF_THE_FILE.toSorted(),
  )
  // `--values` is the override it writes, as for import; what charts are rendered with has a name of its own.
  expect(flagsOf('mirror').filter((flag) => !both.has(flag))).toEqual(['chartValues'])
})

it('mirror takes them as export and import do', () => {
  const mirror = specs.get('mirror') ?? {}
  for (const command of ['export', 'import']) {
    for (const [flag, def] of Object.entries(specs.get(command) ?? {})) {
      if (OF_THE_FILE.includes(flag) || (command === 'export' && flag === 'values')) continue
      expect([flag, { ...mirror[flag], description: '' }]).toEqual([flag, { ...def, description: '' }])
    }
  }
})
