import { describe, expect, it } from 'vitest'

import { defineBundleCommand } from '../../src/cli/command.ts'
import { commands } from '../../src/commands/table.ts'
import { runShell } from '../support/shell.ts'

describe('the program', () => {
  it('prints its help when it is called alone, with every command and exit code in 80 columns', async () => {
    const { code, stdout, stderr } = await runShell([])
    expect(code).toBe(0)
    expect(stderr).toBe('')
    for (const name of Object.keys(commands)) expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'))
    for (const exit of [0, 1, 2, 3, 4, 5, 130]) expect(stdout).toMatch(new RegExp(`^  ${exit} `, 'm'))
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
    for (const argv of [['--help'], ['-h'], ['help'], ['--no-color']]) {
      expect(await runShell(argv)).toMatchObject({ code: 0, stdout })
    }
  })

  it('tells its version', async () => {
    expect(await runShell(['--version'])).toMatchObject({ code: 0, stdout: '1.2.3\n', stderr: '' })
    expect(await runShell(['-V'])).toMatchObject({ code: 0, stdout: '1.2.3\n' })
  })

  it.each([
    [['completon'], 'unknown command "completon"', 'did you mean ma-bundle completion?'],
    [['help', 'completon'], 'unknown command "completon"', 'did you mean ma-bundle completion?'],
    [['toString'], 'unknown command "toString"', 'see ma-bundle --help'],
    [['--completion'], 'unknown flag --completion', 'did you mean ma-bundle completion?'],
    [['--versoin'], 'unknown flag --versoin', 'did you mean --version?'],
    [['--xyzzy'], 'unknown flag --xyzzy', 'see ma-bundle --help'],
  ])('refuses %j with code 2', async (argv, message, next) => {
    const { code, stdout, stderr } = await runShell(argv)
    expect(code).toBe(2)
    expect(stdout).toBe('')
    expect(stderr).toContain(message)
    expect(stderr).toContain(next)
  })
})

describe('every command', () => {
  it.each(Object.keys(commands))(
    '%s has a help of its own, with an example that is its own',
    async (name) => {
      const { code, stdout, stderr } = await runShell([name, '--help'])
      expect(code).toBe(0)
      expect(stderr).toBe('')
      expect(stdout).toContain(`ma-bundle ${name}`)
      expect(stdout).toMatch(new RegExp(`^Examples:\\n  # .*[^]*?ma-bundle ${name}`, 'm'))
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([])
      expect(stdout).not.toContain('undefined')
    },
  )

  it.each(Object.keys(commands))('%s is called what the table calls it', async (name) => {
    expect((await commands[name]?.load())?.spec.name).toBe(name)
  })

  it.each(Object.keys(commands))('%s refuses a flag it does not know', async (name) => {
    const { code, stderr } = await runShell([name, '--no-such-flag-anywhere'])
    expect(code).toBe(2)
    expect(stderr).toContain('unknown flag --no-such-flag-anywhere')
  })
})

describe('a session', () => {
  const speak = defineBundleCommand({
    name: 'speak',
    description: 'Speaks.',
    examples: [],
    args: { toPipe: { type: 'boolean', description: 'Data on stdout' } },
    dataOnStdout: ({ toPipe }) => toPipe,
    async run({ toPipe }, session) {
      session.emit({ type: 'phase', phase: 'resolve', items: 1, bytes: 0 })
      session.emit({ type: 'warning', message: 'see https://h.example/x?token=abc' })
      session.note('a note\n')
      if (toPipe) session.stdout.write('DATA')
      session.out.write('some text\n')
      session.result({ answer: 42 }, 'the answer is 42\n')
    },
  })
  const bad = defineBundleCommand({
    name: 'bad',
    description: 'Ends badly.',
    examples: [],
    args: {},
    async run(_, session) {
      session.result({ damaged: 1 }, '1 entry is damaged\n')
      return 5
    },
  })
  const table = {
    speak: { group: 'look' as const, description: 'Speaks', load: async () => speak },
    bad: { group: 'look' as const, description: 'Ends badly', load: async () => bad },
  }

  it('puts results on stdout and everything else on stderr', async () => {
    const { stdout, stderr } = await runShell(['speak'], { commands: table })
    expect(stdout).toBe('some text\nthe answer is 42\n')
    expect(stderr).toBe('resolving: 1 item\nwarning: see https://h.example/x?***\na note\n')
  })

  it('is quiet on request', async () => {
    const { stdout, stderr } = await runShell(['speak', '--quiet'], { commands: table })
    expect(stdout).toBe('some text\nthe answer is 42\n')
    expect(stderr).toBe('')
  })

  it('speaks JSON lines that end with the result', async () => {
    const { json } = await runShell(['speak', '--json'], { commands: table })
    expect(json).toEqual([
      { type: 'phase', phase: 'resolve', items: 1, bytes: 0 },
      { type: 'warning', message: 'see https://h.example/x?***' },
      { type: 'result', command: 'speak', result: { answer: 42 } },
    ])
  })

  it('leaves stdout to the bundle when that goes there', async () => {
    const plain = await runShell(['speak', '--to-pipe'], { commands: table })
    expect(plain.stdout).toBe('DATA')
    expect(plain.stderr).toContain('the answer is 42\n')
    const json = await runShell(['speak', '--to-pipe', '--json'], { commands: table })
    expect(json.stdout).toBe('DATA')
    expect(json.stderr).toContain('{"type":"result","command":"speak","result":{"answer":42}}\n')
  })

  it('may end with a code of its own', async () => {
    expect(await runShell(['bad'], { commands: table })).toMatchObject({
      code: 5,
      stdout: '1 entry is damaged\n',
      stderr: '',
    })
  })

  it('is live on a terminal only, and plain in CI and on a dumb one', async () => {
    const terminal = { columns: 80, rows: 24 }
    const live = await runShell(['speak'], { commands: table, terminal })
    expect(live.stderr).not.toContain('resolving: 1 item')
    for (const env of [{ CI: 'true' }, { TERM: 'dumb' }]) {
      expect((await runShell(['speak'], { commands: table, terminal, env })).stderr).toContain(
        'resolving: 1 item',
      )
    }
  })

  it('colours on a terminal by default not to', async () => {
    const terminal = { columns: 80, rows: 24 }
    const colored = async (argv: readonly string[], env: Record<string, string> = {}): Promise<boolean> =>
      (await runShell(['speak', ...argv], { commands: table, terminal, env })).stderr.includes('\u001B[33m')
    expect(await colored([])).toBe(true)
    expect(await colored(['--no-color'])).toBe(false)
    expect(await colored([], { NO_COLOR: '1' })).toBe(false)
    expect(await colored([], { MA_BUNDLE_COLOR: 'false' })).toBe(false)
    expect(await colored([], { TERM: 'dumb' })).toBe(false)
    expect((await runShell(['speak'], { commands: table })).stderr).not.toContain('\u001B')
  })
})
