import { describe, expect, it } from 'vitest'
import { readArgv } from '../../src/cli/args/argv.ts'
import type { ArgsDef } from '../../src/cli/args/flags.ts'
import { commandHelp } from '../../src/cli/help/command.ts'

const args = {
  bundle: { type: 'positional', description: 'Where to' },
  fruit: {
    type: 'string',
    hint: 'apple,pear',
    alone: { value: 'apple', words: /^(?:apple|pear)(?:,(?:apple|pear))*$/ },
    description: 'What to pick',
  },
} as const satisfies ArgsDef

describe('a flag that may stand alone', () => {
  it.each([
    [['a.tar', '--fruit'], 'apple', ['a.tar']],
    [['--fruit', 'a.tar'], 'apple', ['a.tar']],
    [['--fruit', 'pear,apple', 'a.tar'], 'pear,apple', ['a.tar']],
    [['--fruit', 'a.tar', 'pear'], 'apple', ['a.tar', 'pear']],
    [['--fruit=pear', 'apple'], 'pear', ['apple']],
    [['--fruit=plum', 'a.tar'], 'plum', ['a.tar']],
  ])('%j', (argv, value, positionals) => {
    const { flags, positionals: rest } = readArgv(argv, args)
    expect(flags.get('fruit')).toEqual([{ text: value, where: 'flag --fruit' }])
    expect(rest).toEqual(positionals)
  })

  it('is told apart in the help', () => {
    const help = commandHelp({ name: 'pick', description: 'Picks.', examples: [], args })
    expect(help).toContain('--fruit [apple,pear]')
  })
})
